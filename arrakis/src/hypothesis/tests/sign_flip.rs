//! The sign-flip permutation test: is a sample symmetric about the null?
//!
//! Source: Fisher, "The Design of Experiments" (1935); the Monte Carlo p-value is (b + 1) / (B + 1) as in Phipson &
//! Smyth, "Permutation p-values should never be zero" (2010).

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::Interval;
use crate::hypothesis::ground::guard::{
    check, check_draws, check_number, differences, largest, mean, power_of_two, refuse, shifted,
};
use crate::hypothesis::ground::{Alternative, TestResult};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "sign_flip";

/// The largest sample whose sign patterns are all enumerated (2^12 of them).
const EXACT_UP_TO: usize = 12;

/// Tests whether `values` is symmetric about `null`, by flipping the signs of `values - null`.
///
/// All flips are enumerated up to 12 values (`draws` and `seed` are then unused); above, `draws` random ones are taken.
/// The statistic is the mean difference from `null`; two-sided compares its magnitude. For 0/1 values and a probability
/// other than one half the null is not symmetric: use [`binomial`](crate::hypothesis::stats::binomial).
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values, values that are not finite, or 0
/// draws.
pub fn sign_flip(values: &[f64], null: f64, alternative: Alternative, draws: usize, seed: u64) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    check_draws(TEST, draws)?;
    of_differences(&shifted(TEST, values, null)?, alternative, draws, seed)
}

/// [`sign_flip`] of the differences `a[i] - b[i]` about zero.
///
/// # Errors
///
/// As [`sign_flip`], and for unequal lengths.
pub fn sign_flip_paired(a: &[f64], b: &[f64], alternative: Alternative, draws: usize, seed: u64) -> Result<TestResult> {
    let differences = differences(TEST, a, b)?;
    check_draws(TEST, draws)?;
    if differences.len() < 2 {
        return Err(refuse(TEST, "there is one pair", "give at least 2"));
    }
    of_differences(&differences, alternative, draws, seed)
}

fn of_differences(differences: &[f64], alternative: Alternative, draws: usize, seed: u64) -> Result<TestResult> {
    let exact = differences.len() <= EXACT_UP_TO;
    let method = if exact { "exact" } else { "monte carlo" };
    let flips = 2f64.powi(differences.len().min(1000) as i32);
    let floor = if exact { alternative.tails() as f64 / flips } else { 1.0 / (draws as f64 + 1.0) };
    let scale = power_of_two(largest(differences));
    let scaled: Vec<f64> = differences.iter().map(|difference| difference / scale).collect();
    if largest(&scaled) == 0.0 {
        return Ok(TestResult::no_effect(method, "every difference is zero").smallest_p(floor));
    }
    let p_value = if exact { enumerate(&scaled, alternative) } else { sample(&scaled, alternative, draws, seed) };
    Ok(TestResult::new(TEST, method, mean(differences), p_value)?.smallest_p(floor))
}

/// The share of all sign patterns with a sum at least as extreme.
fn enumerate(differences: &[f64], alternative: Alternative) -> f64 {
    let threshold = threshold(differences, alternative);
    let patterns = 1u64 << differences.len();
    let extreme = (0..patterns).filter(|&signs| alternative.extremeness(flipped(differences, &[signs])) >= threshold);
    extreme.count() as f64 / patterns as f64
}

/// The share among `draws` random sign patterns and the observed one.
fn sample(differences: &[f64], alternative: Alternative, draws: usize, seed: u64) -> f64 {
    let threshold = threshold(differences, alternative);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut signs = vec![0u64; differences.len().div_ceil(64)];
    let extreme = (0..draws).filter(|_| {
        signs.fill_with(|| rng.next_u64());
        alternative.extremeness(flipped(differences, &signs)) >= threshold
    });
    (extreme.count() as f64 + 1.0) / (draws as f64 + 1.0)
}

/// The observed sum, minus a rounding allowance, so that an equal sum in another order counts as equal.
fn threshold(differences: &[f64], alternative: Alternative) -> f64 {
    let (sum, magnitude) = (differences.iter().sum(), differences.iter().map(|x| x.abs()).sum::<f64>());
    alternative.extremeness(sum) - 1e-13 * magnitude
}

/// The sum with the sign of entry `i` flipped if bit `i` of `signs` is set.
fn flipped(differences: &[f64], signs: &[u64]) -> f64 {
    let turned = |i: usize| signs[i / 64] >> (i % 64) & 1 == 1;
    differences.iter().enumerate().map(|(i, &difference)| if turned(i) { -difference } else { difference }).sum()
}

/// See [`sign_flip`].
pub(super) struct SignFlip;

impl Statistic for SignFlip {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, symmetric about it"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Number { .. } | Design::Samples { paired: true })
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        if let Data::Samples { observed, null } = data {
            return sign_flip_paired(observed, null, terms.alternative, terms.draws, terms.seed);
        }
        let (values, null) = data.number();
        sign_flip(values, null, terms.alternative, terms.draws, terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        terms.bootstrap_interval(&data.differences()?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

    #[test]
    fn scipy_gives_the_same_numbers_when_exact() {
        assert_reference("sign_flip", 1e-12, |a, b, alternative| sign_flip_paired(a, b, alternative, 1, 0).unwrap());
    }

    #[test]
    fn a_hand_computed_case() {
        // Of the 8 sign patterns of (1, 2, 3), only +++ reaches 6; --- joins it when two-sided.
        let p = |alternative| sign_flip(&[1.0, 2.0, 3.0], 0.0, alternative, 99, 0).unwrap().p_value;
        assert_close(p(Alternative::Greater), 1.0 / 8.0, 1e-15);
        assert_close(p(Alternative::TwoSided), 2.0 / 8.0, 1e-15);
        assert_close(p(Alternative::Less), 1.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| sign_flip(&normals(rng, 10), 0.0, Alternative::TwoSided, 99, 0).unwrap());
        assert_null_rate(|rng, seed| sign_flip(&normals(rng, 20), 0.0, Alternative::Greater, 199, seed).unwrap());
        assert_power(0.95, |rng, seed| sign_flip(&normals(rng, 30), -1.0, Alternative::Greater, 199, seed).unwrap());
    }

    #[test]
    fn the_p_value_is_never_zero_and_repeats_with_the_seed() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let found = sign_flip(&values, 0.0, Alternative::Greater, 999, 7).unwrap();
        assert_close(found.p_value, 1.0 / 1000.0, 1e-15);
        assert_close(found.smallest_p, 1.0 / 1000.0, 1e-15);
        assert_eq!(found, sign_flip(&values, 0.0, Alternative::Greater, 999, 7).unwrap());
    }

    #[test]
    fn zeros_and_constants_get_an_answer() {
        assert_eq!(sign_flip(&[0.5; 20], 0.5, Alternative::TwoSided, 99, 0).unwrap().p_value, 1.0);
        assert_close(sign_flip(&[0.1; 6], 0.0, Alternative::TwoSided, 99, 0).unwrap().p_value, 2.0 / 64.0, 1e-15);
        assert_eq!(
            sign_flip(&[1.0, 2.0], 0.0, Alternative::Less, 0, 0).unwrap_err().to_string(),
            "`sign_flip`: 0 draws were asked for; use `draws = 999` or more"
        );
    }
}
