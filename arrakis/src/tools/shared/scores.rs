//! The result of a scan: a metric with one thing changed at a time.

use arrakis_models::SweepWork;
use serde::{Deserialize, Serialize};

use super::place::{Head, Place};
use super::score_table::ScoreTable;
use crate::error::{Error, Result};

/// A metric with one place changed at a time, by default one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Scores<P: Place = Head> {
    /// The metric with nothing changed: that of the whole model, or of the target run.
    pub baseline: f64,
    /// The same for each prompt, `[prompt]`.
    pub baseline_per_prompt: Vec<f64>,
    /// The metric of the source run, if the scan has one.
    pub source: Option<f64>,
    /// The metric with each place changed, in the metric's units.
    pub values: ScoreTable<P>,
    /// How much was run, and how much was saved.
    pub work: SweepWork,
}

/// Two metrics whose difference is at most this share of the larger are equal up to rounding.
const TIE: f64 = 1e-6;

impl<P: Place> Scores<P> {
    /// How much each place changes the metric, its value minus the baseline in the metric's units: `[row][column]`.
    #[must_use]
    pub fn change(&self) -> ScoreTable<P> {
        let units = format!("change of {}", self.values.units);
        self.values.moved(&units, self.baseline, &self.baseline_per_prompt, 1.0)
    }

    /// `(value - baseline) / (source - baseline)`, `[row][column]`: 0 if the metric does not change, 1 if it reaches
    /// the source's.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for a scan without a source run, such as an ablation, and if source and baseline are equal, so
    /// that there is no difference to divide by.
    pub fn normalized(&self) -> Result<ScoreTable<P>> {
        let refuse = |problem: String| Error::Value { of: "Scores", problem };
        let source = self
            .source
            .ok_or_else(|| refuse("a scan without a source run cannot be normalized; use `change()`".to_owned()))?;
        let range = source - self.baseline;
        if range.abs() <= TIE * source.abs().max(self.baseline.abs()) {
            return Err(refuse(format!(
                "the metric is {source} in the source run and {} in the target run, so there is no difference to divide by; choose a metric or prompts that differ, or use `change()`",
                self.baseline
            )));
        }
        let units = "share of the way to the source's metric";
        Ok(self.values.moved(units, self.baseline, &self.baseline_per_prompt, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(source: Option<f64>) -> Scores {
        Scores {
            baseline: 1.0,
            baseline_per_prompt: vec![0.5, 1.5],
            source,
            values: ScoreTable::of_prompts("test", "nats", vec![0], vec![0, 1], vec![vec![1.0, 3.0], vec![0.5, 1.5]])
                .unwrap(),
            work: SweepWork::default(),
        }
    }

    #[test]
    fn change_and_share_by_hand() {
        let change = scores(None).change();
        assert_eq!((change.units.as_str(), &change.values), ("change of nats", &vec![vec![1.0, 0.0]]));
        assert_eq!(change.per_prompt, [[0.5, 1.5], [0.0, 0.0]]);
        assert_eq!(scores(Some(3.0)).normalized().unwrap().values, [[0.5, 0.0]]);
    }

    #[test]
    fn a_tie_cannot_be_normalized() {
        for source in [1.0, 1.0 + 1e-7] {
            let error = scores(Some(source)).normalized().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`Scores`: the metric is {source} in the source run and 1 in")),
                "{error}"
            );
            assert!(error.ends_with("choose a metric or prompts that differ, or use `change()`"), "{error}");
        }
        let error = scores(None).normalized().unwrap_err().to_string();
        assert_eq!(error, "`Scores`: a scan without a source run cannot be normalized; use `change()`");
    }
}
