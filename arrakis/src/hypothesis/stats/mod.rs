//! The statistics under a claim: one test a file, each a plain function over slices.
//!
//! Every test checks its input, so no result holds a NaN and no sample makes it panic. A sample that a test cannot use is
//! [`Error::Statistics`] (too few values, values that are not finite) or [`Error::Degenerate`] (no spread to measure
//! against); a sample without any effect, such as differences that are all zero, is an answer: `p_value` 1 and a note.

mod binomial;
mod bootstrap;
mod effect;
mod guard;
mod interval;
mod mann_whitney;
mod monte_carlo;
mod multiplicity;
mod one_sample_t;
mod paired_t;
mod permutation;
mod rank;
mod sign_flip;
mod student;
mod tost;
mod welch;
mod wilcoxon;

#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use binomial::{binomial, clopper_pearson};
pub use bootstrap::{Bootstrap, IntervalMethod, bootstrap, bootstrap_difference, cluster_bootstrap};
pub use effect::{cliffs_delta, cohen_d, cohen_dz, cohen_h, hedges_g, pearson, rank_biserial, spearman};
pub use guard::{mean, paired_differences, standard_deviation};
pub use interval::Interval;
pub use mann_whitney::mann_whitney;
pub use monte_carlo::monte_carlo;
pub use multiplicity::{Correction, benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use one_sample_t::{one_sample_t, one_sample_t_interval};
pub use paired_t::paired_t;
pub use permutation::permutation;
pub use sign_flip::{sign_flip, sign_flip_paired};
pub use tost::{Tost, tost, tost_two_sample};
pub use welch::{welch, welch_interval};
pub use wilcoxon::{wilcoxon, wilcoxon_paired};

/// The direction in which the observed value is claimed to differ from the null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// The observed value is larger.
    Greater,
    /// The observed value is smaller.
    Less,
    /// The observed value differs, in either direction.
    #[default]
    TwoSided,
}

impl Alternative {
    /// How many tails of the null count as extreme: 1 or 2.
    pub fn tails(self) -> usize {
        if self == Self::TwoSided { 2 } else { 1 }
    }

    /// One p-value from the two tail probabilities; two-sided doubles the smaller one.
    pub(crate) fn combine(self, p_greater: f64, p_less: f64) -> f64 {
        match self {
            Self::Greater => p_greater,
            Self::Less => p_less,
            Self::TwoSided => 2.0 * p_greater.min(p_less),
        }
    }

    /// The size of `value` in the claimed direction: larger is more extreme.
    pub(crate) fn extremeness(self, value: f64) -> f64 {
        match self {
            Self::Greater => value,
            Self::Less => -value,
            Self::TwoSided => value.abs(),
        }
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greater => "greater",
            Self::Less => "less",
            Self::TwoSided => "two_sided",
        })
    }
}

impl FromStr for Alternative {
    type Err = Error;

    /// Reads `greater`, `less` or `two_sided` (also `two-sided`).
    fn from_str(text: &str) -> Result<Self> {
        match text.replace('-', "_").as_str() {
            "greater" => Ok(Self::Greater),
            "less" => Ok(Self::Less),
            "two_sided" => Ok(Self::TwoSided),
            _ => Err(Error::Statistics {
                test: "alternative",
                problem: format!("there is no alternative `{text}`"),
                fix: "use `greater`, `less` or `two_sided`".into(),
            }),
        }
    }
}

/// What a test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// The test statistic; each test's doc says which.
    pub statistic: f64,
    /// The probability, under the null, of a statistic at least as extreme: in `(0, 1]`.
    pub p_value: f64,
    /// Degrees of freedom, for the tests that have them.
    pub df: Option<f64>,
    /// The smallest p-value this test could have given for a sample of this size (0 where there is no such floor).
    pub smallest_p: f64,
    /// How the p-value was computed: `student t`, `exact`, `monte carlo` or `normal approximation`.
    pub method: &'static str,
    /// What a reader should know before trusting the number.
    pub notes: Vec<String>,
}

impl TestResult {
    /// Checks the numbers, and keeps rounding from taking `p_value` out of `(0, 1]`.
    pub(crate) fn new(test: &'static str, method: &'static str, statistic: f64, p_value: f64) -> Result<Self> {
        let statistic = guard::finite_result(test, statistic)?;
        let p_value = guard::finite_result(test, p_value)?.clamp(f64::MIN_POSITIVE, 1.0);
        Ok(Self { statistic, p_value, df: None, smallest_p: 0.0, method, notes: Vec::new() })
    }

    /// No effect at all: `p_value` is 1 and the note says why.
    pub(crate) fn no_effect(method: &'static str, note: &str) -> Self {
        Self { statistic: 0.0, p_value: 1.0, df: None, smallest_p: 0.0, method, notes: vec![note.into()] }
    }

    pub(crate) fn df(mut self, df: f64) -> Self {
        self.df = Some(df);
        self
    }

    pub(crate) fn smallest_p(mut self, smallest_p: f64) -> Self {
        self.smallest_p = smallest_p.min(1.0);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alternative_reads_back_what_it_writes() {
        for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
            assert_eq!(alternative.to_string().parse::<Alternative>().unwrap(), alternative);
        }
        assert_eq!(
            "bigger".parse::<Alternative>().unwrap_err().to_string(),
            "`alternative`: there is no alternative `bigger`; use `greater`, `less` or `two_sided`"
        );
    }

    #[test]
    fn an_overflow_is_an_error_and_not_a_nan() {
        let error = TestResult::new("welch", "student t", f64::NAN, 0.5).unwrap_err();
        assert!(error.to_string().contains("rescale"), "{error}");
    }

    /// Every p-valued test of two samples, and of one sample against the first value of the other.
    fn every_test(a: &[f64], b: &[f64], way: Alternative) -> Vec<Result<TestResult>> {
        let null = b.first().copied().unwrap_or(0.0);
        vec![
            welch(a, b, way),
            paired_t(a, b, way),
            one_sample_t(a, null, way),
            sign_flip(a, null, way, 19, 0),
            sign_flip_paired(a, b, way, 19, 0),
            permutation(a, b, way, 19, 0),
            monte_carlo(null, a, way),
            wilcoxon(a, null, way),
            wilcoxon_paired(a, b, way),
            mann_whitney(a, b, way),
            tost(a, null - 1.0, null + 1.0).map(|found| found.above_low),
            tost_two_sample(a, b, -1.0, 1.0).map(|found| found.below_high),
        ]
    }

    #[test]
    fn no_sample_makes_a_test_panic_or_answer_with_a_nan() {
        let nasty: Vec<Vec<f64>> = vec![
            vec![],
            vec![1.0],
            vec![0.0; 14],
            vec![0.1; 14],
            vec![f64::MAX, -f64::MAX, f64::MAX],
            vec![f64::MIN_POSITIVE, 5e-324, -5e-324],
            vec![f64::NAN, 1.0, 2.0],
            vec![f64::INFINITY, f64::NEG_INFINITY],
            vec![1.0, 1.0 + f64::EPSILON, 1.0],
            (0..60).map(|i| f64::from(i % 3) * 1e300).collect(),
        ];
        for (a, b) in nasty.iter().flat_map(|a| nasty.iter().map(move |b| (a, b))) {
            for way in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
                for found in every_test(a, b, way).into_iter().flatten() {
                    assert!(found.p_value > 0.0 && found.p_value <= 1.0, "{a:?} {b:?} {found:?}");
                    assert!(found.statistic.is_finite(), "{a:?} {b:?} {found:?}");
                }
            }
            let effects = [cohen_d(a, b), hedges_g(a, b), cohen_dz(a), cliffs_delta(a, b), rank_biserial(a)];
            let more = [pearson(a, b), spearman(a, b)];
            assert!(effects.into_iter().chain(more).flatten().all(f64::is_finite), "{a:?} {b:?}");
            let ends = |interval: Interval| interval.low.is_finite() && interval.high.is_finite();
            let intervals =
                [bootstrap(a, Bootstrap::default(), mean), welch_interval(a, b, 0.9), one_sample_t_interval(a, 0.9)];
            assert!(intervals.into_iter().flatten().all(ends), "{a:?} {b:?}");
        }
    }
}
