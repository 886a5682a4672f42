//! A scan as a table of tests over prompts, corrected for the number of places.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::place::{Head, Place};
use super::score_table::Score;
use super::scores::Scores;
use crate::error::{Error, Result};
use crate::fmt::short;
use crate::hypothesis::stats::{self, Alternative, Correction};

/// The test of each place: is its change zero on average over prompts?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptTest {
    /// Flips the signs of the changes, for changes that are symmetric about zero under the null. All flips up to 12
    /// prompts, otherwise `draws` random ones.
    SignFlip {
        /// Random flips above 12 prompts.
        draws: usize,
        /// Seed of the flips.
        seed: u64,
    },
    /// Student's t on the changes, for changes that are about normal.
    T,
}

impl Default for PromptTest {
    fn default() -> Self {
        Self::SignFlip { draws: 9999, seed: 0 }
    }
}

/// A scan's changes with their errors and p-values. Prints as a table, the largest changes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Tested<P: Place = Head> {
    /// What the changes are, with their units.
    pub units: String,
    /// The test of each place.
    pub test: PromptTest,
    /// How the p-values were corrected.
    pub correction: Correction,
    /// Number of places, for which the p-values are corrected.
    pub comparisons: usize,
    /// Number of prompts.
    pub prompts: usize,
    /// The smallest p-value that this test can give on this many prompts, before the correction.
    pub smallest_p: f64,
    /// Forward passes of the scan.
    pub forwards: usize,
    /// Every place, in reading order.
    pub places: Vec<TestedPlace<P>>,
}

/// One place of a [`Tested`] table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct TestedPlace<P: Place = Head> {
    /// The place.
    pub place: P,
    /// The mean change of the metric over prompts, in its units.
    pub change: f64,
    /// The standard error of that mean.
    pub standard_error: f64,
    /// The two-sided p-value.
    pub p: f64,
    /// The p-value corrected for all places; compare it with α.
    pub p_corrected: f64,
}

impl<P: Place> Scores<P> {
    /// Tests whether each place changes the metric on average over prompts, two-sided, and corrects the p-values for the
    /// number of places. The prompts are the sample: they must be drawn independently.
    ///
    /// # Errors
    ///
    /// Fewer than two prompts, or a metric that only the whole batch has; with [`PromptTest::T`] a place with the same
    /// change on every prompt.
    pub fn tested(&self, test: PromptTest, correction: Correction) -> Result<Tested<P>> {
        let change = self.change();
        let prompts = self.baseline_per_prompt.len();
        if prompts < 2 || change.per_prompt.is_empty() {
            let problem = format!("{prompts} prompt has no spread over prompts; give at least 2, drawn independently");
            return Err(Error::Value { of: "Scores", problem });
        }
        let same = |values: &Vec<f64>| values.iter().all(|value| *value == values[0]);
        if same(&self.baseline_per_prompt) && self.values.per_prompt.iter().all(same) {
            let problem = "all prompts have the same numbers, so they are no sample; give prompts that differ, and of one \
                           length for the loss";
            return Err(Error::Value { of: "Scores", problem: problem.into() });
        }
        let found = change.per_prompt.iter().map(|changes| test.run(changes)).collect::<Result<Vec<_>>>()?;
        let p_values: Vec<f64> = found.iter().map(|result| result.p_value).collect();
        let corrected = correction.adjust(&p_values)?;
        let place = |(at, cell): (usize, Score<P>)| TestedPlace {
            place: cell.place,
            change: cell.value,
            standard_error: stats::standard_deviation(&change.per_prompt[at]).unwrap_or_default()
                / (prompts as f64).sqrt(),
            p: p_values[at],
            p_corrected: corrected[at],
        };
        Ok(Tested {
            units: change.units.clone(),
            test,
            correction,
            comparisons: p_values.len(),
            prompts,
            smallest_p: found.iter().map(|result| result.smallest_p).fold(1.0, f64::min),
            forwards: self.work.forwards,
            places: change.cells().enumerate().map(place).collect(),
        })
    }
}

impl PromptTest {
    fn run(self, changes: &[f64]) -> Result<stats::TestResult> {
        match self {
            Self::SignFlip { draws, seed } => stats::sign_flip(changes, 0.0, Alternative::TwoSided, draws, seed),
            Self::T => stats::one_sample_t(changes, 0.0, Alternative::TwoSided),
        }
    }
}

impl<P: Place> Tested<P> {
    /// The places whose corrected p-value is at most `alpha`, the largest changes first.
    pub fn significant(&self, alpha: f64) -> Vec<&TestedPlace<P>> {
        self.ranked().into_iter().filter(|place| place.p_corrected <= alpha).collect()
    }

    /// All places, the largest changes first; ties in reading order.
    fn ranked(&self) -> Vec<&TestedPlace<P>> {
        let mut ranked: Vec<_> = self.places.iter().collect();
        ranked.sort_by(|a, b| b.change.abs().total_cmp(&a.change.abs()));
        ranked
    }
}

impl<P: Place> fmt::Display for Tested<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, correction, comparisons, prompts, smallest_p, forwards, .. } = self;
        writeln!(f, "{units}: mean over {prompts} prompts ± standard error, {forwards} forwards")?;
        writeln!(f, "p by {}, corrected by {correction} for {comparisons} comparisons", self.test.name())?;
        if correction
            .adjust(&vec![*smallest_p; *comparisons])
            .is_ok_and(|least| least.first().is_some_and(|p| *p > 0.05))
        {
            writeln!(
                f,
                "a single place cannot be significant at 0.05: {prompts} prompts give p ≥ {}",
                short(*smallest_p)
            )?;
        }
        for TestedPlace { place, change, standard_error, p, p_corrected } in self.ranked() {
            let (p, p_corrected) = (short(*p), short(*p_corrected));
            writeln!(
                f,
                "{:<8} {change:>9.4} ± {standard_error:<9.4} p = {p:<8} corrected {p_corrected}",
                place.label()
            )?;
        }
        Ok(())
    }
}

impl PromptTest {
    fn name(self) -> &'static str {
        match self {
            Self::SignFlip { .. } => "sign flips",
            Self::T => "Student's t",
        }
    }
}

#[cfg(test)]
mod tests {
    use arrakis_models::SweepWork;

    use super::*;
    use crate::tools::ScoreTable;

    fn scores(per_prompt: Vec<Vec<f64>>) -> Scores {
        let heads = (0..per_prompt.len()).collect();
        let values = ScoreTable::of_prompts("test", "nats", vec![0], heads, per_prompt).unwrap();
        let prompts = values.per_prompt[0].len();
        let work = SweepWork { forwards: 3, ..SweepWork::default() };
        Scores { baseline: 1.0, baseline_per_prompt: vec![1.0; prompts], source: None, values, work }
    }

    #[test]
    fn by_hand() {
        // Changes (1, 2, 3) and (-1, 1, 0): two of eight sign patterns are as extreme as the first.
        let found = scores(vec![vec![2.0, 3.0, 4.0], vec![0.0, 2.0, 1.0]]);
        let found = found.tested(PromptTest::default(), Correction::Holm).unwrap();
        let [first, second] = <[TestedPlace; 2]>::try_from(found.places.clone()).unwrap();
        assert_eq!((first.change, first.p, first.p_corrected), (2.0, 0.25, 0.5));
        assert!((first.standard_error - (1.0 / 3.0_f64).sqrt()).abs() < 1e-12);
        assert_eq!((second.change, second.p, second.p_corrected), (0.0, 1.0, 1.0));
        assert_eq!((found.comparisons, found.prompts, found.smallest_p, found.forwards), (2, 3, 0.25, 3));
        let text = found.to_string();
        assert!(text.starts_with("change of nats: mean over 3 prompts ± standard error, 3 forwards\np by sign flips, corrected by Holm for 2 comparisons\na single place cannot be significant at 0.05: 3 prompts give p ≥ 0.25\nL0H0 "), "{text}");
    }

    /// `scipy.stats.ttest_1samp([0.5, 1.5, 2.5, 2.0], 0)` and Benjamini-Hochberg by hand.
    #[test]
    fn the_t_is_scipys() {
        let found = scores(vec![vec![1.5, 2.5, 3.5, 3.0], vec![1.0; 4]]);
        let found = found.tested(PromptTest::T, Correction::BenjaminiHochberg).unwrap();
        assert!((found.places[0].p - 0.031_874_195_103_557).abs() < 1e-12, "{}", found.places[0].p);
        assert!((found.places[0].p_corrected - 2.0 * found.places[0].p).abs() < 1e-12);
        assert_eq!(found.significant(0.1).len(), 1);
    }

    #[test]
    fn prompts_that_are_no_sample_are_refused() {
        let error = scores(vec![vec![2.0]]).tested(PromptTest::default(), Correction::Holm).unwrap_err().to_string();
        assert_eq!(error, "`Scores`: 1 prompt has no spread over prompts; give at least 2, drawn independently");
        let error =
            scores(vec![vec![2.0, 2.0]]).tested(PromptTest::default(), Correction::Holm).unwrap_err().to_string();
        assert_eq!(
            error,
            "`Scores`: all prompts have the same numbers, so they are no sample; give prompts that differ, and of one length \
             for the loss"
        );
    }
}
