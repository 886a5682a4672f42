//! The input of a statistic: the shape of a measurement, its numbers, and the options of the claim.

use super::ground::guard::{mean, paired_differences};
use super::ground::resample::{Bootstrap, IntervalMethod, bootstrap};
use super::ground::{Alternative, Interval};
use crate::error::{Error, Result};

/// The shape of a measurement and its null. It decides which statistics fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    /// One value, compared with draws of the null.
    Draws,
    /// Several values, compared with a number.
    Number {
        /// Whether the values are zeros and ones, and the number is a probability strictly between them.
        binary: bool,
    },
    /// Two samples, each of more than one value.
    Samples {
        /// Whether they have the same length.
        paired: bool,
    },
}

/// The numbers of a measurement and its null, in units of the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Data<'a> {
    /// See [`Design::Draws`].
    Draws { observed: f64, null: &'a [f64] },
    /// See [`Design::Number`].
    Number { observed: &'a [f64], null: f64 },
    /// See [`Design::Samples`].
    Samples { observed: &'a [f64], null: &'a [f64] },
}

const UNFIT: &str = "BUG: a statistic is given only what it says it fits";

impl<'a> Data<'a> {
    /// The value and the draws of [`Design::Draws`].
    pub(crate) fn draws(self) -> (f64, &'a [f64]) {
        if let Self::Draws { observed, null } = self { (observed, null) } else { unreachable!("{UNFIT}") }
    }

    /// The values and the number of [`Design::Number`].
    pub(crate) fn number(self) -> (&'a [f64], f64) {
        if let Self::Number { observed, null } = self { (observed, null) } else { unreachable!("{UNFIT}") }
    }

    /// The two samples of [`Design::Samples`].
    pub(crate) fn samples(self) -> (&'a [f64], &'a [f64]) {
        if let Self::Samples { observed, null } = self { (observed, null) } else { unreachable!("{UNFIT}") }
    }

    /// Observed minus null, pair by pair or value by value.
    pub(crate) fn differences(self) -> Result<Vec<f64>> {
        match self {
            Self::Draws { observed, null } => paired_differences(&vec![observed; null.len()], null),
            Self::Number { observed, null } => paired_differences(observed, &vec![null; observed.len()]),
            Self::Samples { observed, null } => paired_differences(observed, null),
        }
    }
}

/// An option of a claim that some statistics need and all others refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The largest distance from the null that counts as equal.
    Margin,
    /// The group of each value.
    Groups,
}

impl Need {
    /// The option's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Margin => "margin",
            Self::Groups => "groups",
        }
    }

    /// How to give it.
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::Margin => "say which distance from the null still counts as equal: `margin = 0.1`",
            Self::Groups => "name the group of each value: `groups = [\"a\", \"a\", \"b\", \"b\"]`",
        }
    }
}

/// The options of a claim: everything but its words and its test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) alternative: Alternative,
    pub(crate) alpha: f64,
    /// α divided by the claim's own comparisons.
    pub(crate) alpha_corrected: f64,
    pub(crate) draws: usize,
    pub(crate) seed: u64,
    /// Already checked to be positive and finite.
    pub(crate) margin: Option<f64>,
    pub(crate) groups: Option<&'a [String]>,
}

impl<'a> Terms<'a> {
    /// The margin, for a statistic that declares [`Need::Margin`].
    pub(crate) fn margin(&self) -> f64 {
        self.margin.expect("BUG: the claim has what its test needs")
    }

    /// The groups, for a statistic that declares [`Need::Groups`].
    pub(crate) fn groups(&self) -> &'a [String] {
        self.groups.expect("BUG: the claim has what its test needs")
    }

    /// The level of the interval that is dual to the test at the undivided α: `1 - alpha`, or `1 - 2 alpha` one-sided.
    pub(crate) fn level(&self) -> f64 {
        let tails = if self.alternative == Alternative::TwoSided { 1.0 } else { 2.0 };
        if tails * self.alpha < 1.0 { 1.0 - tails * self.alpha } else { 1.0 - self.alpha }
    }

    /// How the interval is resampled for `n` values.
    pub(crate) fn resampling(&self, n: usize) -> Bootstrap {
        // BCa leaves out each value in turn: in a large sample that is slow, and its correction is negligible.
        let method = if n > 2000 { IntervalMethod::Percentile } else { IntervalMethod::Bca };
        Bootstrap { level: self.level(), seed: self.seed, method, ..Bootstrap::default() }
    }

    /// The bootstrap interval of the mean of independent `differences`.
    pub(crate) fn bootstrap_interval(&self, differences: &[f64]) -> Result<Interval> {
        bootstrap(differences, self.resampling(differences.len()), mean)
    }

    /// Whether a p-value is small enough, up to rounding: 19 draws can reach 1/20 at α = 0.05.
    pub(crate) fn rejects(&self, p_value: f64) -> bool {
        p_value <= self.alpha_corrected * (1.0 + 1e-12)
    }

    /// Checks that `draws` can reach the corrected α, where `tails` draws count as extreme.
    pub(crate) fn check_draws(&self, draws: usize, tails: usize) -> Result<()> {
        let tails = tails as f64;
        let smallest = tails / (draws as f64 + 1.0);
        if self.rejects(smallest) {
            return Ok(());
        }
        let needed = (tails / self.alpha_corrected * (1.0 - 1e-12)).ceil() as usize - 1;
        Err(Error::TooFewDraws { draws, smallest, alpha: self.alpha_corrected, needed })
    }
}
