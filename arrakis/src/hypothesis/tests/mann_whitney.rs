//! The Mann-Whitney U test: is a value of one sample as often above as below a value of the other?
//!
//! Source: Mann & Whitney, "On a test of whether one of two random variables is stochastically larger than the other"
//! (1947).

use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, cliffs_delta};
use crate::hypothesis::ground::Interval;
use crate::hypothesis::ground::guard::check;
use crate::hypothesis::ground::rank::{Ranks, doubled, rank, tails};
use crate::hypothesis::ground::resample::bootstrap_difference;
use crate::hypothesis::ground::{Alternative, TestResult};
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
    let pool: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranked = rank(&pool);
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let u = ranked.ranks[..a.len()].iter().sum::<f64>() - n_a * (n_a + 1.0) / 2.0;
    let is_constant = pool.iter().all(|&value| value == pool[0]);
    if is_constant {
        let mut none = TestResult::no_effect("exact", "every value of both samples is the same");
        none.statistic = u;
        return Ok(none);
    }
    if pool.len() <= EXACT_UP_TO {
        exact(u, &ranked, a.len(), alternative)
    } else {
        approximate(u, &ranked, n_a, n_b, alternative)
    }
}

/// Counts, for every rank sum, the choices of `n_a` ranks with that sum.
fn exact(u: f64, ranked: &Ranks, n_a: usize, alternative: Alternative) -> Result<TestResult> {
    let ranks = doubled(&ranked.ranks);
    let largest: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; largest + 1]; n_a + 1];
    ways[0][0] = 1.0;
    let mut reach = 0;
    for rank in &ranks {
        reach += rank;
        for chosen in (1..=n_a).rev() {
            let (fewer, these) = ways.split_at_mut(chosen);
            for sum in *rank..=reach {
                these[0][sum] += fewer[chosen - 1][sum - rank];
            }
        }
    }
    let observed: usize = ranks[..n_a].iter().sum();
    let (at_least, at_most) = tails(&ways[n_a], observed);
    let floor = alternative.tails() as f64 / ways[n_a].iter().sum::<f64>();
    Ok(TestResult::new(TEST, "exact", u, alternative.combine(at_least, at_most))?.smallest_p(floor))
}

fn approximate(u: f64, ranked: &Ranks, n_a: f64, n_b: f64, alternative: Alternative) -> Result<TestResult> {
    let (n, pairs) = (n_a + n_b, n_a * n_b);
    let sd = (pairs / 12.0 * (n + 1.0 - ranked.tie_term / (n * (n - 1.0)))).sqrt();
    let normal = Normal::standard();
    let above = |u: f64| normal.sf((u - pairs / 2.0 - 0.5) / sd);
    TestResult::new(TEST, "normal approximation", u, alternative.combine(above(u), above(pairs - u)))
}

/// See [`mann_whitney`].
pub(super) struct MannWhitney;

impl Statistic for MannWhitney {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, both samples have the same distribution"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Samples { .. })
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        mann_whitney(a, b, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        bootstrap_difference(a, b, terms.resampling(a.len())).map(Some)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        let (a, b) = data.samples();
        Ok(EffectSize::new("cliffs_delta", cliffs_delta(a, b)?))
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
