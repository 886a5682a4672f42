//! The sign test: is the median of a sample some given number?
//!
//! Source: Conover, "Practical Nonparametric Statistics" (1999), section 3.4; Dixon & Mood, "The statistical sign test"
//! (1946). Values equal to the null count against a claim, so the test is exact for any distribution.

use super::binomial::binomial;
use super::sign_flip::least_signs;
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, rank_biserial};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::guard::{check, check_number, largest, moments, shifted};
use crate::hypothesis::ground::rank::sorted;
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::median;
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "sign_test";

/// Tests whether the median of independent `values` is `null`; for pairs, test their
/// [differences](crate::hypothesis::stats::paired_differences).
///
/// The statistic is the share of values above `null`. Nothing is assumed about the distribution. Two-sided doubles the
/// smaller tail.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for no values, or values that are not finite.
pub fn sign_test(values: &[f64], null: f64, alternative: Alternative) -> Result<TestResult> {
    check(TEST, "values", values, 1)?;
    check_number(TEST, "null", null)?;
    at(&sorted(&shifted(TEST, values, null)?), 0.0, alternative)
}

/// The test of sorted differences, shifted down.
fn at(sorted: &[f64], shift: f64, alternative: Alternative) -> Result<TestResult> {
    let n = sorted.len() as u64;
    let above = n - sorted.partition_point(|value| *value <= shift) as u64;
    let below = sorted.partition_point(|value| *value < shift) as u64;
    let tail = |count: u64| binomial(count, n, 0.5, Alternative::Greater).map(|found| found.p_value);
    let p_value = alternative.combine(tail(above)?, tail(below)?);
    let floor = alternative.tails() as f64 * 0.5f64.powi(n.min(2000) as i32);
    let found = TestResult::new(TEST, "exact", above as f64 / n as f64, p_value)?.smallest_p(floor);
    let equal = n - above - below;
    Ok(if equal > 0 { found.note(format!("{equal} values equal the null and count against the claim")) } else { found })
}

/// See [`sign_test`].
pub(super) struct SignTest;

impl Statistic for SignTest {
    fn assumes(&self) -> &'static str {
        "independent values, of any distribution"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Median
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_signs(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        sign_test(&data.differences()?, 0.0, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        let step = moments(&differences).standard_error().max(largest(&differences) * f64::EPSILON);
        let (estimate, sorted) = (median(differences.clone()), sorted(&differences));
        let p_value = |shift, alternative| at(&sorted, shift, alternative).map_or(1.0, |found| found.p_value);
        terms.dual(estimate, step, "order statistics", p_value)
    }

    fn estimate(&self, _terms: &Terms, data: Data) -> Result<f64> {
        Ok(median(data.differences()?))
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        Ok(EffectSize::new("rank_biserial", rank_biserial(&data.differences()?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_power, normals, numbers, reference};

    #[test]
    fn scipy_gives_the_same_numbers() {
        let expected = reference("sign_test");
        let values = numbers(&expected["values"]);
        for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
            let found = sign_test(&values, expected["null"].as_f64().unwrap(), alternative).unwrap();
            assert_close(found.p_value, expected[alternative.to_string()].as_f64().unwrap(), 1e-12);
        }
    }

    #[test]
    fn a_hand_computed_case() {
        // Three of four values are above 0, one equals it: (4 + 1) / 16, and 1 for below.
        let p = |alternative| sign_test(&[0.0, 1.0, 2.0, 9.0], 0.0, alternative).unwrap().p_value;
        assert_close(p(Alternative::Greater), 5.0 / 16.0, 1e-14);
        assert_close(p(Alternative::Less), 1.0, 1e-14);
        let found = sign_test(&[0.0, 1.0], 0.0, Alternative::Greater).unwrap();
        assert_eq!(found.notes, ["1 values equal the null and count against the claim"]);
    }

    #[test]
    fn skew_changes_nothing_and_a_true_effect_is_found() {
        // The median of exp(z) is 1. Eleven signs reach 3.3% one-sided and not 5%.
        let rng = &mut crate::hypothesis::ground::testing::seeded(1);
        let errors = (0..2000).filter(|_| {
            let values: Vec<f64> = normals(rng, 11).iter().map(|x| x.exp()).collect();
            sign_test(&values, 1.0, Alternative::Less).unwrap().p_value <= 0.05
        });
        let rate = errors.count() as f64 / 2000.0;
        assert!((0.022..=0.045).contains(&rate), "{rate}");
        assert_power(0.95, |rng, _| sign_test(&normals(rng, 40), -0.8, Alternative::Greater).unwrap());
    }

    #[test]
    fn no_values_are_refused_by_name() {
        assert_eq!(
            sign_test(&[], 0.0, Alternative::Less).unwrap_err().to_string(),
            "`sign_test`: `values` has 0 values; give at least 1"
        );
    }
}
