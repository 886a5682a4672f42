//! The sign-flip permutation test: is a sample symmetric about the null?
//!
//! Source: Fisher, "The Design of Experiments" (1935); the Monte Carlo p-value is (b + 1) / (B + 1) as in Phipson &
//! Smyth, "Permutation p-values should never be zero" (2010).

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::crossing::Drawn;
use crate::hypothesis::ground::flips::Flips;
use crate::hypothesis::ground::guard::{
    check, check_draws, check_number, differences, largest, mean, moments, refuse, shifted,
};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, units};
use crate::hypothesis::shape::{Doubt, Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "sign_flip";

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
    let flips = Flips::of(&units::blocks(differences, draws), draws, seed);
    of_flips(TEST, &flips, differences, alternative, units::note(differences.len(), draws))
}

/// The result for `differences` that are flipped in the units of `flips`.
pub(super) fn of_flips(
    test: &'static str,
    flips: &Flips,
    differences: &[f64],
    alternative: Alternative,
    note: Option<String>,
) -> Result<TestResult> {
    let floor = flips.floor(alternative);
    if largest(differences) == 0.0 {
        return Ok(TestResult::no_effect(flips.method(), "every difference is zero").smallest_p(floor));
    }
    let p_value = flips.p_at(0.0, alternative);
    let found = TestResult::new(test, flips.method(), mean(differences), p_value)?.smallest_p(floor);
    Ok(note.into_iter().fold(found, TestResult::note))
}

/// The interval of the mean of `differences` that are flipped in the units of `flips`.
pub(super) fn interval_of(flips: &Flips, differences: &[f64], terms: &Terms) -> Result<Option<Interval>> {
    let found = moments(differences);
    let step = found.standard_error().max(largest(differences) * f64::EPSILON);
    terms.dual_drawn(flips, found.mean, step, "sign flip")
}

/// See [`sign_flip`].
pub(super) struct SignFlip;

impl Statistic for SignFlip {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, symmetric about it"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_signs(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        sign_flip(&data.differences()?, 0.0, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (differences, draws) = (data.differences()?, terms.resamples());
        interval_of(&Flips::of(&units::blocks(&differences, draws), draws, terms.seed), &differences, terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_symmetry(shape, terms)
    }
}

/// The fewest signs whose patterns are more than `1 / alpha`.
pub(super) fn least_signs(terms: &Terms) -> usize {
    (terms.alternative.tails() as f64 / terms.alpha).log2().ceil().max(1.0) as usize
}

/// What to say about a test that assumes symmetry.
pub(super) fn of_symmetry(shape: &Shape, terms: &Terms) -> Option<String> {
    Some(match shape.doubt(terms, Limits::PLAIN)? {
        Doubt::Few { least } => format!(
            "they are too few to show whether they are symmetric, and skew makes more than alpha of such claims false: \
             measure at least {least}, or claim the median (`estimand = Median`)"
        ),
        Doubt::Skewed { .. } => {
            "they look skewed, and skew makes more than alpha of such claims false: claim the mean with \
             `test = RobustMean`, or the median (`estimand = Median`)"
                .to_owned()
        }
    })
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
