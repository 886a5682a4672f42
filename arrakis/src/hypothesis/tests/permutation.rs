//! The two-sample permutation test: do two samples come from one distribution?
//!
//! Source: Fisher, "The Design of Experiments" (1935); the Monte Carlo p-value is (b + 1) / (B + 1) as in Phipson &
//! Smyth, "Permutation p-values should never be zero" (2010).

use super::bootstrap::of_mean;
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::crossing::Drawn;
use crate::hypothesis::ground::guard::{check, check_draws, largest, mean, moments};
use crate::hypothesis::ground::labels::{Labels, Scale, relabellings};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "permutation";

/// Tests whether the labels of `a` and `b` can be exchanged; the samples are independent.
///
/// The statistic is `mean(a) - mean(b)`; two-sided compares its magnitude. Up to 4096 relabellings are enumerated
/// (`draws` and `seed` are then unused); above, `draws` random ones are taken. Samples of different spread are not
/// exchangeable: if their lengths differ a lot as well, use [`welch`](crate::hypothesis::stats::welch).
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values in either sample, values that are
/// not finite, or 0 draws.
pub fn permutation(a: &[f64], b: &[f64], alternative: Alternative, draws: usize, seed: u64) -> Result<TestResult> {
    check(TEST, "a", a, 2)?;
    check(TEST, "b", b, 2)?;
    check_draws(TEST, draws)?;
    relabelled(TEST, &Labels::of(a, b, Scale::Plain, draws, seed), a.len() + b.len(), draws, alternative)
}

/// The result of a test by relabelling `n` values.
pub(super) fn relabelled(
    test: &'static str,
    labels: &Labels,
    n: usize,
    draws: usize,
    alternative: Alternative,
) -> Result<TestResult> {
    let floor = labels.floor(alternative);
    if labels.is_constant() {
        let same = "every value of both samples is the same";
        return Ok(TestResult::no_effect(labels.method(), same).smallest_p(floor));
    }
    let p_value = labels.p_at(0.0, alternative);
    let statistic = labels.statistic().clamp(f64::MIN, f64::MAX);
    let found = TestResult::new(test, labels.method(), statistic, p_value)?.smallest_p(floor);
    Ok(units::note(n, draws).into_iter().fold(found, TestResult::note))
}

/// The interval of the difference of means by relabelling.
pub(super) fn interval_of(
    labels: &Labels,
    a: &[f64],
    b: &[f64],
    terms: &Terms,
    method: &'static str,
) -> Result<Option<Interval>> {
    let (difference, step) = (mean(a) - mean(b), step(a, b));
    terms.dual_drawn(labels, difference, step, method)
}

/// The standard error of the difference of means, or the rounding of the numbers if there is none.
pub(super) fn step(a: &[f64], b: &[f64]) -> f64 {
    let error = moments(a).standard_error().hypot(moments(b).standard_error());
    error.max(largest(a).max(largest(b)) * f64::EPSILON)
}

/// The shortest equal samples with more than `1 / alpha` relabellings.
pub(super) fn least_labels(terms: &Terms) -> usize {
    let needed = terms.alternative.tails() as f64 / terms.alpha;
    // Of two thousand values there are more relabellings than a number can count.
    (2..1000).find(|&n| relabellings(n, n) >= needed).expect("BUG: they grow without end")
}

/// See [`permutation`].
pub(super) struct Permutation;

impl Statistic for Permutation {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, both samples have the same distribution"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
    }

    /// Two samples of zeros and ones with equal shares have the same distribution.
    fn suits(&self, shape: &Shape) -> bool {
        shape.constant
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_labels(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        permutation(a, b, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        interval_of(&Labels::of(a, b, Scale::Plain, terms.resamples(), terms.seed), a, b, terms, "permutation")
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        // Few skewed values do not show that their spreads differ.
        of_equal_spread(shape).or_else(|| of_mean(shape, terms, Limits::ALIKE))
    }
}

/// What to say about a test that assumes equal distributions.
pub(super) fn of_equal_spread(shape: &Shape) -> Option<String> {
    (shape.spread > 1.5 || !shape.balanced && shape.spread > 1.2).then(|| {
        "their spreads differ, so a difference of spread may be taken for one of the means: compare the means with `test = \
         RobustDifference`"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

    #[test]
    fn scipy_gives_the_same_numbers_when_exact() {
        assert_reference("permutation", 1e-12, |a, b, alternative| permutation(a, b, alternative, 1, 0).unwrap());
    }

    #[test]
    fn a_hand_computed_case() {
        // One of the C(4, 2) = 6 relabellings puts 3 and 4 together.
        let p = |alternative| permutation(&[3.0, 4.0], &[1.0, 2.0], alternative, 99, 0).unwrap().p_value;
        assert_close(p(Alternative::Greater), 1.0 / 6.0, 1e-15);
        assert_close(p(Alternative::TwoSided), 2.0 / 6.0, 1e-15);
        assert_close(p(Alternative::Less), 1.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| {
            permutation(&normals(rng, 6), &normals(rng, 6), Alternative::TwoSided, 1, 0).unwrap()
        });
        assert_null_rate(|rng, seed| {
            permutation(&normals(rng, 10), &normals(rng, 25), Alternative::TwoSided, 199, seed).unwrap()
        });
        assert_power(0.95, |rng, seed| {
            let a: Vec<f64> = normals(rng, 30).iter().map(|x| x - 1.0).collect();
            permutation(&a, &normals(rng, 30), Alternative::Less, 199, seed).unwrap()
        });
    }

    #[test]
    fn the_p_value_is_never_zero_and_constants_get_an_answer() {
        let found = permutation(&[9.0; 40], &[0.0; 40], Alternative::TwoSided, 999, 3).unwrap();
        assert_close(found.p_value, 1.0 / 1000.0, 1e-15);
        assert_eq!(permutation(&[0.1; 9], &[0.1; 30], Alternative::TwoSided, 99, 0).unwrap().p_value, 1.0);
        assert!(permutation(&[1.0], &[1.0, 2.0], Alternative::Less, 99, 0).is_err());
    }
}
