//! The input of a statistic: the shape of a measurement, its numbers, and the options of the claim.

use super::ground::crossing::{self, Drawn};
use super::ground::guard::paired_differences;
use super::ground::{Alternative, Interval, dual};
use crate::error::{Error, Result};
use crate::fmt::short;

/// The number of draws if none is given: a p-value can reach 0.001.
pub(crate) const DRAWS: usize = 999;

/// More draws than this are never taken by a test that resamples.
const MOST_DRAWS: f64 = 1e7;

/// How two samples belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Value i of both is measured on the same thing.
    Paired,
    /// They are independent.
    Independent,
    /// They have the same length, and nobody said which of the two it is.
    Unsaid,
}

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
        /// How they belong together.
        pairing: Pairing,
        /// Whether all values are zeros and ones.
        binary: bool,
    },
}

impl Design {
    /// Whether each value has its own null: values compared with a number, or pairs.
    pub(crate) fn is_of_differences(self) -> bool {
        match self {
            Self::Draws => false,
            Self::Number { .. } => true,
            Self::Samples { pairing, .. } => pairing != Pairing::Independent,
        }
    }

    /// Whether these may be two independent samples.
    pub(crate) fn is_of_independent_samples(self) -> bool {
        matches!(self, Self::Samples { pairing: Pairing::Independent | Pairing::Unsaid, .. })
    }
}

/// The numbers of a measurement and its null, in units of the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Data<'a> {
    /// See [`Design::Draws`].
    Draws { observed: f64, null: &'a [f64] },
    /// See [`Design::Number`].
    Number { observed: &'a [f64], null: f64 },
    /// See [`Design::Samples`].
    Samples { observed: &'a [f64], null: &'a [f64], paired: bool },
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
        if let Self::Samples { observed, null, .. } = self { (observed, null) } else { unreachable!("{UNFIT}") }
    }

    /// Observed minus null, pair by pair or value by value.
    pub(crate) fn differences(self) -> Result<Vec<f64>> {
        match self {
            Self::Draws { observed, null } => paired_differences(&vec![observed; null.len()], null),
            Self::Number { observed, null } => paired_differences(observed, &vec![null; observed.len()]),
            Self::Samples { observed, null, .. } => paired_differences(observed, null),
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
    /// The second group of each value, across the first.
    Crossed,
}

impl Need {
    /// The option's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Margin => "margin",
            Self::Groups => "groups",
            Self::Crossed => "crossed",
        }
    }

    /// How to give it.
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::Margin => "say which distance from the null still counts as equal: `margin = 0.1`",
            Self::Groups => "name the group of each value: `groups = [\"a\", \"a\", \"b\", \"b\"]`",
            Self::Crossed => {
                "name the second group of each value, such as its seed, beside `groups`: `crossed = [\"1\", \"2\", \"1\", \
                 \"2\"]`"
            }
        }
    }
}

/// The options of a claim: everything but its words and its test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) alternative: Alternative,
    /// α divided by the claim's own comparisons.
    pub(crate) alpha: f64,
    pub(crate) draws: usize,
    pub(crate) seed: u64,
    /// Already checked to be positive and finite.
    pub(crate) margin: Option<f64>,
    pub(crate) groups: Option<&'a [String]>,
    pub(crate) crossed: Option<&'a [String]>,
}

const NEEDED: &str = "BUG: the claim has what its test needs";

impl<'a> Terms<'a> {
    /// The margin, for a statistic that declares [`Need::Margin`].
    pub(crate) fn margin(&self) -> f64 {
        self.margin.expect(NEEDED)
    }

    /// The groups, for a statistic that declares [`Need::Groups`].
    pub(crate) fn groups(&self) -> &'a [String] {
        self.groups.expect(NEEDED)
    }

    /// The groups across them, for a statistic that declares [`Need::Crossed`].
    pub(crate) fn crossed(&self) -> &'a [String] {
        self.crossed.expect(NEEDED)
    }

    /// What lies beyond each end of the interval: half of α, or all of it if the claim is one-sided. `None` if both ends
    /// together would leave nothing between them.
    pub(crate) fn tail(&self) -> Option<f64> {
        let tail = if self.alternative == Alternative::TwoSided { self.alpha / 2.0 } else { self.alpha };
        (tail < 0.5).then_some(tail)
    }

    /// The interval from `low` to `high`, at the level of [`Terms::tail`].
    pub(crate) fn interval(&self, low: f64, high: f64, method: &'static str) -> Result<Option<Interval>> {
        self.tail().map(|tail| Interval::new(low, high, 1.0 - 2.0 * tail, method)).transpose()
    }

    /// The shifts that a test does not reject: for a two-sided claim those with a two-sided p-value above α, otherwise
    /// those above α in both directions. `p_value` is that of the data shifted down by its first argument, or anything above α if
    /// that is; `estimate` and `step` are those of [`dual::ends`].
    pub(crate) fn dual(
        &self,
        estimate: f64,
        step: f64,
        method: &'static str,
        p_value: impl Fn(f64, Alternative) -> f64,
    ) -> Result<Option<Interval>> {
        self.dual_near(estimate, step, None, method, p_value)
    }

    /// [`Terms::dual`] for a null that is drawn.
    pub(crate) fn dual_drawn(
        &self,
        drawn: &impl Drawn,
        estimate: f64,
        step: f64,
        method: &'static str,
    ) -> Result<Option<Interval>> {
        let near = self.near(drawn, estimate, step);
        self.dual_near(estimate, step, near, method, |shift, alternative| drawn.p_at(shift, alternative))
    }

    /// A guess of where the ends are.
    pub(crate) fn near(&self, drawn: &impl Drawn, estimate: f64, step: f64) -> Option<dual::Near> {
        crossing::near(drawn, estimate, step, self.directions(), |p_value| self.rejects(p_value))
    }

    /// The alternatives against which a shift below the interval is rejected, and one above it.
    pub(crate) fn directions(&self) -> [Alternative; 2] {
        match self.alternative {
            Alternative::TwoSided => [Alternative::TwoSided; 2],
            _ => [Alternative::Greater, Alternative::Less],
        }
    }

    /// [`Terms::dual`] with a guess of where the ends are.
    pub(crate) fn dual_near(
        &self,
        estimate: f64,
        step: f64,
        near: Option<dual::Near>,
        method: &'static str,
        p_value: impl Fn(f64, Alternative) -> f64,
    ) -> Result<Option<Interval>> {
        if self.tail().is_none() {
            return Ok(None);
        }
        let [below, above] = self.directions();
        let too_low = |shift: f64| self.rejects(p_value(shift, below));
        let too_high = |shift: f64| self.rejects(p_value(shift, above));
        match dual::ends(estimate, step, near, too_low, too_high) {
            Some((low, high)) => self.interval(low, high, method),
            None => Ok(None),
        }
    }

    /// Whether a p-value is small enough, up to rounding: 19 draws can reach 1/20 at α = 0.05.
    pub(crate) fn rejects(&self, p_value: f64) -> bool {
        p_value <= self.alpha * (1.0 + 1e-12)
    }

    /// The number of draws of a test that resamples: if none was given, enough for twenty beyond α.
    pub(crate) fn resamples(&self) -> usize {
        if self.draws == DRAWS { DRAWS.max((20.0 / self.alpha).min(MOST_DRAWS).ceil() as usize) } else { self.draws }
    }

    /// Whether a test that resamples can be drawn often enough.
    pub(crate) fn is_affordable(&self) -> bool {
        self.draws != DRAWS || 20.0 / self.alpha <= MOST_DRAWS
    }

    /// Checks that `draws` can reach the corrected α, where `tails` draws count as extreme. Otherwise the error names a number
    /// that can, or, where nobody can draw so often, what else to do.
    pub(crate) fn check_draws(&self, draws: usize, tails: usize) -> Result<()> {
        let tails = tails as f64;
        let smallest = tails / (draws as f64 + 1.0);
        if self.rejects(smallest) {
            return Ok(());
        }
        if tails / self.alpha > MOST_DRAWS {
            let (alpha, needed) = (short(self.alpha), tails / self.alpha);
            return Err(Error::Statistics {
                test: "draws",
                problem: format!("at alpha = {alpha} it takes {needed:.0e} null draws to hold"),
                fix: "count fewer comparisons, or measure several values and use a test that draws nothing, such as \
                      `OneSampleT` or `SignTest`"
                    .into(),
            });
        }
        let needed = (tails / self.alpha * (1.0 - 1e-12)).ceil() as usize - 1;
        Err(Error::TooFewDraws { draws, smallest, alpha: self.alpha, needed })
    }
}
