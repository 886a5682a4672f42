//! How much a verdict depends on the seed, or on which prompts were drawn.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::fmt::short;

/// A claim repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// What differs between the runs.
    pub over: String,
    /// The runs in which the claim holds.
    pub holds: usize,
    /// The difference from the null in each run, in units of the metric.
    pub differences: Vec<f64>,
    /// The p-value in each run.
    pub p_values: Vec<f64>,
}

impl Stability {
    /// The distribution of some verdicts on one claim.
    pub fn of(over: &str, verdicts: &[Verdict]) -> Self {
        Self {
            over: over.to_owned(),
            holds: verdicts.iter().filter(|verdict| verdict.holds).count(),
            differences: verdicts.iter().map(|verdict| verdict.difference).collect(),
            p_values: verdicts.iter().map(|verdict| verdict.p_value).collect(),
        }
    }

    /// The difference below which a share of the runs lies, interpolated between runs; `None` without runs.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.differences.clone();
        sorted.sort_by(f64::total_cmp);
        let at = share.clamp(0.0, 1.0) * (sorted.len().checked_sub(1)?) as f64;
        let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
        Some(below + (above - below) * at.fract())
    }
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { over, holds, differences, .. } = self;
        write!(f, "{over}: holds in {holds} of {}", differences.len())?;
        let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| self.quantile(share).map_or_else(String::new, short));
        write!(f, "; difference {middle}, 5 to 95 % of runs {low} to {high}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let runs = |differences: Vec<f64>| Stability { over: "seeds".into(), holds: 2, differences, p_values: vec![] };
        let four = runs(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| four.quantile(share)), [Some(1.0), Some(2.5), Some(4.0)]);
        assert_eq!(four.to_string(), "seeds: holds in 2 of 4; difference 2.5, 5 to 95 % of runs 1.15 to 3.85");
        assert_eq!(runs(vec![]).quantile(0.5), None);
    }
}
