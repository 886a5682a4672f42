//! The exact `McNemar` test: does an event happen as often in both of a pair?
//!
//! Source: `McNemar`, "Note on the sampling error of the difference between correlated proportions or percentages" (1947),
//! with the binomial distribution of the pairs that differ.

use super::binomial::{self, binomial};
use super::sign_flip::least_signs;
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, cohen_h};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::guard::{mean, refuse};
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "mcnemar";

/// Tests whether, of the pairs that differ, as many are `only_first` (1 and 0) as `only_second` (0 and 1).
///
/// The statistic is the share of `only_first`.
///
/// # Errors
///
/// None for counts that add up without overflow.
pub fn mcnemar(only_first: u64, only_second: u64, alternative: Alternative) -> Result<TestResult> {
    let Some(differ) = only_first.checked_add(only_second) else {
        return Err(refuse(TEST, "the counts overflow", "count the pairs that differ"));
    };
    if differ == 0 {
        return Ok(TestResult::no_effect("exact", "no pair differs"));
    }
    binomial(only_first, differ, 0.5, alternative)
}

/// The pairs that are 1 and 0, and those that are 0 and 1.
fn counts(differences: &[f64]) -> (u64, u64) {
    let count = |of: f64| differences.iter().filter(|&&difference| difference == of).count() as u64;
    (count(1.0), count(-1.0))
}

/// See [`mcnemar`].
pub(super) struct Mcnemar;

impl Statistic for Mcnemar {
    fn assumes(&self) -> &'static str {
        "independent pairs"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Proportion
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Samples { binary: true, .. }) && design.is_of_differences()
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_signs(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (first, second) = counts(&data.differences()?);
        mcnemar(first, second, terms.alternative)
    }

    /// The interval of the difference of proportions, given how many pairs differ.
    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        let (first, second) = counts(&differences);
        if first + second == 0 {
            return Ok(None);
        }
        let share = 2.0 * (first + second) as f64 / differences.len() as f64;
        let found = binomial::interval_of(first, first + second, 0.5, terms)?;
        Ok(found.map(|found| Interval { low: share * found.low, high: share * found.high, ..found }))
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        let (a, b) = data.samples();
        Ok(EffectSize::new("cohen_h", cohen_h(mean(a), mean(b))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, reference, seeded};
    use rand::Rng;

    #[test]
    fn statsmodels_gives_the_same_number() {
        for row in reference("mcnemar").as_array().unwrap() {
            let [first, second] = ["first", "second"].map(|key| row[key].as_u64().unwrap());
            let found = mcnemar(first, second, Alternative::TwoSided).unwrap();
            assert_close(found.p_value, row["two_sided"].as_f64().unwrap(), 1e-12);
        }
    }

    #[test]
    fn a_hand_computed_case() {
        // Of three pairs that differ all are 1 and 0: one pattern of eight.
        assert_close(mcnemar(3, 0, Alternative::Greater).unwrap().p_value, 1.0 / 8.0, 1e-14);
        assert_close(mcnemar(3, 0, Alternative::TwoSided).unwrap().p_value, 2.0 / 8.0, 1e-14);
        assert_eq!(mcnemar(0, 0, Alternative::Less).unwrap().notes, ["no pair differs"]);
    }

    #[test]
    fn it_errs_at_most_one_time_in_twenty_and_finds_a_true_effect() {
        let rng = &mut seeded(3);
        let mut rate = |more: f64| {
            let found = (0..1000).filter(|_| {
                let mut count = |share: f64| (0..80).filter(|_| rng.random::<f64>() < share).count() as u64;
                let (first, second) = (count(0.2 + more), count(0.2));
                mcnemar(first, second, Alternative::Greater).unwrap().p_value <= 0.05
            });
            found.count() as f64 / 1000.0
        };
        assert!(rate(0.0) <= 0.06 && rate(0.3) >= 0.95);
    }

    #[test]
    fn counts_that_overflow_are_refused_by_name() {
        assert_eq!(
            mcnemar(u64::MAX, 1, Alternative::Less).unwrap_err().to_string(),
            "`mcnemar`: the counts overflow; count the pairs that differ"
        );
    }
}
