//! Confidence intervals.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::guard::finite_result;
use crate::error::Result;

/// A two-sided confidence interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end, in units of the statistic.
    pub low: f64,
    /// The upper end, in units of the statistic.
    pub high: f64,
    /// The confidence level, in `(0, 1)`.
    pub level: f64,
    /// How it was computed, such as `student t` or `bca bootstrap`.
    pub method: String,
}

impl Interval {
    pub(crate) fn new(low: f64, high: f64, level: f64, method: &'static str) -> Result<Self> {
        let (low, high) = (finite_result(method, low)?, finite_result(method, high)?);
        Ok(Self { low, high, level, method: method.into() })
    }

    /// The interval of the same quantity minus a constant.
    #[must_use]
    pub fn shifted(mut self, by: f64) -> Self {
        self.low -= by;
        self.high -= by;
        self
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = crate::fmt::short(100.0 * self.level);
        write!(f, "[{:.4}, {:.4}] ({percent}% {})", self.low, self.high, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_shifts_and_reads_well() {
        let found = Interval::new(0.25, 0.75, 0.95, "student t").unwrap();
        assert_eq!(found.to_string(), "[0.2500, 0.7500] (95% student t)");
        assert_eq!(found.shifted(0.25).low, 0.0);
        assert!(Interval::new(0.0, f64::INFINITY, 0.95, "student t").is_err());
    }
}
