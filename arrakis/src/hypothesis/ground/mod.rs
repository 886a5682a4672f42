//! Code that the statistics share: directions, results, intervals and their duals, ranks, resampling, and checks of the
//! input.

pub(crate) mod bootstrap_t;
pub(crate) mod crossing;
pub(crate) mod dual;
pub(crate) mod flips;
pub(crate) mod guard;
mod interval;
pub(crate) mod labels;
pub(crate) mod rank;
pub(crate) mod resample;
pub(crate) mod select;
pub(crate) mod student;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod units;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use interval::Interval;

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

    /// `value` oriented by the claimed direction, so that larger is more extreme.
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
                problem: format!("`{text}` is not an alternative"),
                fix: "use `greater`, `less` or `two_sided`".into(),
            }),
        }
    }
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// The test statistic; the documentation of each test says which.
    pub statistic: f64,
    /// The probability, under the null, of a statistic at least as extreme; in `(0, 1]`.
    pub p_value: f64,
    /// Degrees of freedom, for the tests that have them.
    pub df: Option<f64>,
    /// The smallest p-value this test can give for a sample of this size (0 if there is no such floor).
    pub smallest_p: f64,
    /// How the p-value was computed: `student t`, `exact`, `monte carlo` or `normal approximation`.
    pub method: &'static str,
    /// What a reader should know before trusting the number.
    pub notes: Vec<String>,
}

impl TestResult {
    /// Checks the numbers, and keeps `p_value` in `(0, 1]` despite rounding.
    pub(crate) fn new(test: &'static str, method: &'static str, statistic: f64, p_value: f64) -> Result<Self> {
        let statistic = guard::finite_result(test, statistic)?;
        let p_value = guard::finite_result(test, p_value)?.clamp(f64::MIN_POSITIVE, 1.0);
        Ok(Self { statistic, p_value, df: None, smallest_p: 0.0, method, notes: Vec::new() })
    }

    /// A result without any effect: `p_value` is 1 and the note says why.
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
            "`alternative`: `bigger` is not an alternative; use `greater`, `less` or `two_sided`"
        );
    }

    #[test]
    fn an_overflow_is_an_error_and_not_a_nan() {
        let error = TestResult::new("welch", "student t", f64::NAN, 0.5).unwrap_err();
        assert!(error.to_string().contains("rescale"), "{error}");
    }
}
