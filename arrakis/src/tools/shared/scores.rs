//! The result of a scan: a metric with one thing changed at a time.

use arrakis_models::SweepWork;
use serde::{Deserialize, Serialize};

use super::place::{Head, Place};
use super::score_table::ScoreTable;
use crate::error::{Error, Result};

/// A metric with one place changed at a time: heads unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Scores<P: Place = Head> {
    /// The metric with nothing changed: of the whole model, or of the run patched into.
    pub baseline: f64,
    /// The same for each prompt, `[prompt]`.
    pub baseline_per_prompt: Vec<f64>,
    /// The metric of the run patched from, where there is one.
    pub source: Option<f64>,
    /// The metric with each place changed, in its units.
    pub values: ScoreTable<P>,
    /// What was run, and what was saved.
    pub work: SweepWork,
}

/// Two metrics closer than this share of the larger are the same number, up to rounding.
const TIE: f64 = 1e-6;

impl<P: Place> Scores<P> {
    /// What each place changes: its value minus the baseline, in the metric's units.
    #[must_use]
    pub fn change(&self) -> ScoreTable<P> {
        let units = format!("change of {}", self.values.units);
        self.values.moved(&units, self.baseline, &self.baseline_per_prompt, 1.0)
    }

    /// `(value - baseline) / (source - baseline)`: 0 where nothing moved, 1 where the source's metric is reached.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for a scan without a source, such as an ablation, and where source and baseline are the same
    /// number: there is no distance to take a share of.
    pub fn normalized(&self) -> Result<ScoreTable<P>> {
        let refuse = |problem: String| Error::Value { of: "Scores", problem };
        let source = self
            .source
            .ok_or_else(|| refuse("there is no second run whose metric could be reached; use `change()`".to_owned()))?;
        let range = source - self.baseline;
        if range.abs() <= TIE * source.abs().max(self.baseline.abs()) {
            return Err(refuse(format!(
                "the metric is {source} in the run patched from and {} in the run patched into, so there is no difference to take shares of; choose a metric or prompts that differ, or use `change()`",
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
    fn a_tie_has_no_shares() {
        for source in [1.0, 1.0 + 1e-7] {
            let error = scores(Some(source)).normalized().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`Scores`: the metric is {source} in the run patched from and 1 in")),
                "{error}"
            );
            assert!(error.ends_with("choose a metric or prompts that differ, or use `change()`"), "{error}");
        }
        let error = scores(None).normalized().unwrap_err().to_string();
        assert_eq!(error, "`Scores`: there is no second run whose metric could be reached; use `change()`");
    }
}
