//! The Mann-Whitney U test: is a value of one sample as often above as below a value of the other?
//!
//! Source: Mann & Whitney, "On a test of whether one of two random variables is stochastically larger than the other"
//! (1947).

use statrs::distribution::{ContinuousCDF, Normal};

use super::permutation::{least_labels, of_equal_spread, step};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, cliffs_delta};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::guard::{check, finite_result};
use crate::hypothesis::ground::rank::{RankSum, merged, sorted, tails};
use crate::hypothesis::ground::student::bisect;
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::Shape;
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "mann_whitney";

/// Up to this many values, both samples together, rank sums are counted exactly, ties included.
const EXACT_UP_TO: usize = 50;

/// Tests whether `a` tends to be larger than `b`; the samples are independent.
///
/// The statistic is U of `a`: the number of pairs with the value of `a` above that of `b`, ties counting one half. It
/// is exact up to 50 values in total, ties included; above, a normal approximation with tie and continuity corrections.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for an empty sample, or values that are not finite.
pub fn mann_whitney(a: &[f64], b: &[f64], alternative: Alternative) -> Result<TestResult> {
    check(TEST, "a", a, 1)?;
    check(TEST, "b", b, 1)?;
    let is_constant = a.iter().chain(b).all(|&value| value == a[0]);
    if is_constant {
        let mut none = TestResult::no_effect("exact", "every value of both samples is the same");
        none.statistic = (a.len() * b.len()) as f64 / 2.0;
        return Ok(none);
    }
    at(&sorted(a), &sorted(b), 0.0, alternative)
}

/// The test of sorted samples, the first shifted down.
fn at(a: &[f64], b: &[f64], shift: f64, alternative: Alternative) -> Result<TestResult> {
    let mut sums = RankSum::keeping(EXACT_UP_TO);
    merged(a, b, shift, |ties, of_a| sums.add(ties, of_a));
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let u = sums.sum() - n_a * (n_a + 1.0) / 2.0;
    if sums.n <= EXACT_UP_TO {
        exact(u, &sums, a.len(), alternative)
    } else {
        approximate(u, sums.tie_term, n_a, n_b, alternative)
    }
}

/// Counts, for every rank sum, the choices of `n_a` ranks with that sum.
fn exact(u: f64, sums: &RankSum, n_a: usize, alternative: Alternative) -> Result<TestResult> {
    let largest: usize = sums.ranks.iter().sum();
    let mut ways = vec![vec![0.0; largest + 1]; n_a + 1];
    ways[0][0] = 1.0;
    let mut reach = 0;
    for rank in &sums.ranks {
        reach += rank;
        for chosen in (1..=n_a).rev() {
            let (fewer, these) = ways.split_at_mut(chosen);
            for sum in *rank..=reach {
                these[0][sum] += fewer[chosen - 1][sum - rank];
            }
        }
    }
    let (at_least, at_most) = tails(&ways[n_a], sums.doubled);
    let floor = alternative.tails() as f64 / ways[n_a].iter().sum::<f64>();
    Ok(TestResult::new(TEST, "exact", u, alternative.combine(at_least, at_most))?.smallest_p(floor))
}

fn approximate(u: f64, tie_term: f64, n_a: f64, n_b: f64, alternative: Alternative) -> Result<TestResult> {
    let (n, pairs) = (n_a + n_b, n_a * n_b);
    let sd = (pairs / 12.0 * (n + 1.0 - tie_term / (n * (n - 1.0)))).sqrt();
    let normal = Normal::standard();
    let above = |u: f64| normal.sf((u - pairs / 2.0 - 0.5) / sd);
    TestResult::new(TEST, "normal approximation", u, alternative.combine(above(u), above(pairs - u)))
}

/// The median of the differences between all values of `a` and all of `b` (Hodges & Lehmann, "Estimates of location
/// based on rank tests", 1963), in their units.
///
/// # Errors
///
/// As [`mann_whitney`].
pub fn shift(a: &[f64], b: &[f64]) -> Result<f64> {
    check(TEST, "a", a, 1)?;
    check(TEST, "b", b, 1)?;
    let (a, b) = (sorted(a), sorted(b));
    let half = (a.len() * b.len()) as f64 / 2.0;
    let balance = |shift: f64| {
        let mut sums = RankSum::default();
        merged(&a, &b, shift, |ties, of_a| sums.add(ties, of_a));
        sums.sum() - (a.len() * (a.len() + 1)) as f64 / 2.0 - half
    };
    let (low, high) = (finite_result(TEST, a[0] - b[b.len() - 1])?, finite_result(TEST, a[a.len() - 1] - b[0])?);
    let (from, to) =
        (bisect(low, high, |shift| balance(shift) > 0.0), bisect(low, high, |shift| balance(shift) >= 0.0));
    Ok(f64::midpoint(from, to))
}

/// See [`mann_whitney`].
pub(super) struct MannWhitney;

impl Statistic for MannWhitney {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, both samples have the same distribution"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Shift
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_labels(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        mann_whitney(a, b, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        let (estimate, step) = (shift(a, b)?, step(a, b));
        let (a, b) = (sorted(a), sorted(b));
        let p_value = |shift, alternative| at(&a, &b, shift, alternative).map_or(1.0, |found| found.p_value);
        terms.dual(estimate, step, "hodges-lehmann", p_value)
    }

    fn estimate(&self, _terms: &Terms, data: Data) -> Result<f64> {
        let (a, b) = data.samples();
        shift(a, b)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        let (a, b) = data.samples();
        Ok(EffectSize::new("cliffs_delta", cliffs_delta(a, b)?))
    }

    fn caution(&self, shape: &Shape, _terms: &Terms) -> Option<String> {
        of_equal_spread(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

    #[test]
    fn scipy_gives_the_same_numbers() {
        for key in ["mann_whitney", "mann_whitney_ties", "mann_whitney_large", "mann_whitney_large_ties"] {
            assert_reference(key, 1e-10, |a, b, alternative| mann_whitney(a, b, alternative).unwrap());
        }
    }

    #[test]
    fn a_hand_computed_case() {
        // All four pairs are in order; one of the C(4, 2) = 6 choices of ranks does that.
        let found = mann_whitney(&[3.0, 4.0], &[1.0, 2.0], Alternative::Greater).unwrap();
        assert_eq!(found.statistic, 4.0);
        assert_close(found.p_value, 1.0 / 6.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| mann_whitney(&normals(rng, 11), &normals(rng, 13), Alternative::TwoSided).unwrap());
        assert_null_rate(|rng, _| mann_whitney(&normals(rng, 30), &normals(rng, 40), Alternative::Less).unwrap());
        assert_power(0.95, |rng, _| {
            let a: Vec<f64> = normals(rng, 30).iter().map(|x| x + 1.0).collect();
            mann_whitney(&a, &normals(rng, 30), Alternative::Greater).unwrap()
        });
    }

    #[test]
    fn swapping_the_samples_swaps_the_direction() {
        let (a, b) = ([1.0, 2.0, 2.0, 5.0], [0.0, 2.0, 3.0]);
        let greater = mann_whitney(&a, &b, Alternative::Greater).unwrap().p_value;
        assert_close(greater, mann_whitney(&b, &a, Alternative::Less).unwrap().p_value, 1e-15);
        assert_eq!(mann_whitney(&[1.0; 3], &[1.0; 4], Alternative::TwoSided).unwrap().p_value, 1.0);
        assert_eq!(
            mann_whitney(&[], &b, Alternative::Less).unwrap_err().to_string(),
            "`mann_whitney`: `a` has 0 values; give at least 1"
        );
    }
}
