//! The two-sample permutation test: do two samples come from one distribution?
//!
//! Source: Fisher, "The Design of Experiments" (1935); the Monte Carlo p-value is (b + 1) / (B + 1) as in Phipson &
//! Smyth, "Permutation p-values should never be zero" (2010).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, hedges_g};
use crate::hypothesis::ground::Interval;
use crate::hypothesis::ground::guard::{check, check_draws, finite_result, largest, mean, power_of_two};
use crate::hypothesis::ground::resample::bootstrap_difference;
use crate::hypothesis::ground::{Alternative, TestResult};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "permutation";

/// All relabellings are enumerated if there are at most this many.
const EXACT_UP_TO: f64 = 4096.0;

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
    let relabellings = relabellings(a.len(), b.len());
    let exact = relabellings <= EXACT_UP_TO;
    let method = if exact { "exact" } else { "monte carlo" };
    let floor =
        if exact { exact_floor(a.len() == b.len(), relabellings, alternative) } else { 1.0 / (draws as f64 + 1.0) };
    let pool = Pool::new(a, b, alternative);
    if largest(&pool.values) == 0.0 {
        return Ok(TestResult::no_effect(method, "every value of both samples is the same").smallest_p(floor));
    }
    let p_value = if exact { pool.enumerate() } else { pool.sample(draws, seed) };
    let statistic = finite_result(TEST, mean(a) - mean(b))?;
    Ok(TestResult::new(TEST, method, statistic, p_value)?.smallest_p(floor))
}

/// With equal lengths, swapping the samples gives the same magnitude, so the two-sided test counts at least two.
fn exact_floor(equal_lengths: bool, relabellings: f64, alternative: Alternative) -> f64 {
    if equal_lengths { alternative.tails() as f64 / relabellings } else { 1.0 / relabellings }
}

/// The number of ways to choose which of the pooled values are labelled `a`; infinite if it overflows.
fn relabellings(a: usize, b: usize) -> f64 {
    let few = a.min(b);
    (1..=few).map(|k| (a + b - few + k) as f64 / k as f64).product::<f64>().round()
}

/// The values of both samples, centred and scaled.
struct Pool {
    values: Vec<f64>,
    n_a: usize,
    alternative: Alternative,
    /// The extremeness of the observed difference, minus a rounding allowance.
    threshold: f64,
}

impl Pool {
    fn new(a: &[f64], b: &[f64], alternative: Alternative) -> Self {
        let scale = power_of_two(largest(a).max(largest(b)));
        let mut values: Vec<f64> = a.iter().chain(b).map(|value| value / scale).collect();
        let centre = mean(&values);
        for value in &mut values {
            *value -= centre;
        }
        let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
        let mut pool = Self { values, n_a: a.len(), alternative, threshold: 0.0 };
        let observed = pool.extremeness(pool.values[..a.len()].iter().sum());
        pool.threshold = observed - 1e-13 * magnitude / a.len().min(b.len()) as f64;
        pool
    }

    /// The extremeness of the difference of means if the values labelled `a` sum to `sum`; all values sum to zero.
    fn extremeness(&self, sum: f64) -> f64 {
        let (n_a, n_b) = (self.n_a as f64, (self.values.len() - self.n_a) as f64);
        self.alternative.extremeness(sum / n_a + sum / n_b)
    }

    fn enumerate(&self) -> f64 {
        let mut chosen: Vec<usize> = (0..self.n_a).collect();
        let (mut extreme, mut total) = (0usize, 0usize);
        loop {
            let sum = chosen.iter().map(|&index| self.values[index]).sum();
            extreme += usize::from(self.extremeness(sum) >= self.threshold);
            total += 1;
            if !next_combination(&mut chosen, self.values.len()) {
                return extreme as f64 / total as f64;
            }
        }
    }

    fn sample(&self, draws: usize, seed: u64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order = self.values.clone();
        let extreme = (0..draws).filter(|_| {
            for index in 0..self.n_a {
                let other = rng.random_range(index..order.len());
                order.swap(index, other);
            }
            self.extremeness(order[..self.n_a].iter().sum()) >= self.threshold
        });
        (extreme.count() as f64 + 1.0) / (draws as f64 + 1.0)
    }
}

/// Moves to the next increasing sequence of indices below `n`; false after the last.
fn next_combination(chosen: &mut [usize], n: usize) -> bool {
    let k = chosen.len();
    let Some(turn) = (0..k).rev().find(|&i| chosen[i] < n - k + i) else {
        return false;
    };
    chosen[turn] += 1;
    for i in turn + 1..k {
        chosen[i] = chosen[i - 1] + 1;
    }
    true
}

/// See [`permutation`].
pub(super) struct Permutation;

impl Statistic for Permutation {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, both samples have the same distribution"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Samples { .. })
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        permutation(a, b, terms.alternative, terms.draws, terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        bootstrap_difference(a, b, terms.resampling(a.len())).map(Some)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        let (a, b) = data.samples();
        Ok(EffectSize::new("hedges_g", hedges_g(a, b)?))
    }
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

    #[test]
    fn relabellings_are_binomial_coefficients() {
        assert_eq!([relabellings(7, 7), relabellings(2, 5), relabellings(5, 2)], [3432.0, 21.0, 21.0]);
        assert!(relabellings(5000, 5000).is_infinite());
    }
}
