//! The Monte Carlo test: is one observed value extreme among draws of the null?
//!
//! Source: Barnard (1963); Phipson & Smyth, "Permutation p-values should never be zero" (2010).

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, cohen_dz};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::guard::{check, check_number};
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "monte_carlo";

/// Tests whether `observed` could be another draw of the null: p = (1 + draws at least as extreme) / (B + 1).
///
/// The statistic is `observed`. Two-sided doubles the smaller tail, so it assumes nothing about the null's shape.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for no draws, or values that are not finite.
pub fn monte_carlo(observed: f64, null_draws: &[f64], alternative: Alternative) -> Result<TestResult> {
    check_number(TEST, "observed", observed)?;
    check(TEST, "null_draws", null_draws, 1)?;
    // The same number computed in another order counts as equal.
    let rounding = 100.0 * f64::EPSILON * observed.abs();
    let total = null_draws.len() as f64 + 1.0;
    let tail = |extreme: usize| (extreme as f64 + 1.0) / total;
    let above = null_draws.iter().filter(|&&draw| draw >= observed - rounding).count();
    let below = null_draws.iter().filter(|&&draw| draw <= observed + rounding).count();
    let found = TestResult::new(TEST, "monte carlo", observed, alternative.combine(tail(above), tail(below)))?;
    let found = found.smallest_p(alternative.tails() as f64 / total);
    let is_constant = null_draws.iter().all(|&draw| draw == null_draws[0]);
    Ok(if is_constant { found.note("every draw of the null is the same number: does it use its seed?") } else { found })
}

/// See [`monte_carlo`].
pub(super) struct MonteCarlo;

impl Statistic for MonteCarlo {
    fn assumes(&self) -> &'static str {
        "under the null, the observed value is another draw of it"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Value
    }

    fn fits(&self, design: Design) -> bool {
        design == Design::Draws
    }

    fn tails(&self, alternative: Alternative) -> Option<usize> {
        // The smaller tail is doubled.
        Some(alternative.tails())
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (observed, null) = data.draws();
        terms.check_draws(null.len(), terms.alternative.tails())?;
        let found = monte_carlo(observed, null, terms.alternative)?;
        let mut sorted = null.to_vec();
        sorted.sort_by(f64::total_cmp);
        let end = (0.025 * sorted.len() as f64) as usize;
        let (low, high) = (sorted[end], sorted[sorted.len() - 1 - end]);
        Ok(found.note(format!("the middle 95% of the null is [{low:.4}, {high:.4}]")))
    }

    fn interval(&self, _terms: &Terms, _data: Data) -> Result<Option<Interval>> {
        Ok(None)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        // How many standard deviations of the null lie between its mean and the observed value.
        Ok(EffectSize::new("z", cohen_dz(&data.differences()?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

    #[test]
    fn scipy_gives_the_same_numbers() {
        assert_reference("monte_carlo", 1e-12, |a, b, alternative| monte_carlo(a[0], b, alternative).unwrap());
    }

    #[test]
    fn a_hand_computed_case() {
        let p = |alternative| monte_carlo(3.0, &[1.0, 2.0, 3.0, 4.0], alternative).unwrap().p_value;
        assert_close(p(Alternative::Greater), 3.0 / 5.0, 1e-15);
        assert_close(p(Alternative::Less), 4.0 / 5.0, 1e-15);
        assert_close(p(Alternative::TwoSided), 1.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| monte_carlo(normals(rng, 1)[0], &normals(rng, 99), Alternative::TwoSided).unwrap());
        assert_power(0.95, |rng, _| monte_carlo(4.5, &normals(rng, 99), Alternative::Greater).unwrap());
    }

    #[test]
    fn the_p_value_is_never_zero_and_a_constant_null_is_reported() {
        let found = monte_carlo(1.0, &[0.0; 19], Alternative::Greater).unwrap();
        assert_close(found.p_value, 0.05, 1e-15);
        assert_eq!(found.notes, ["every draw of the null is the same number: does it use its seed?"]);
        assert!(monte_carlo(1.0, &[], Alternative::Greater).is_err());
        assert!(monte_carlo(f64::NAN, &[1.0], Alternative::Greater).is_err());
    }
}
