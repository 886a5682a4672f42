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
use crate::hypothesis::ground::dual::Near;
use crate::hypothesis::ground::guard::{check, finite_result, largest};
use crate::hypothesis::ground::rank::{Counted, RankSum, merged, near, sorted, tails, tie_term};
use crate::hypothesis::ground::select::Sums;
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
    at(&sorted(a), &sorted(b), 0.0, alternative, &Counted::default())
}

/// The test of sorted samples, the first shifted down.
fn at(a: &[f64], b: &[f64], shift: f64, alternative: Alternative, counted: &Counted) -> Result<TestResult> {
    let mut sums = RankSum::keeping(EXACT_UP_TO);
    merged(a, b, shift, |ties, of_a| sums.add(ties, of_a));
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let u = sums.sum() - n_a * (n_a + 1.0) / 2.0;
    if sums.n <= EXACT_UP_TO {
        exact(u, &sums, a.len(), alternative, counted)
    } else {
        approximate(u, sums.tie_term, n_a, n_b, alternative)
    }
}

fn exact(u: f64, sums: &RankSum, n_a: usize, alternative: Alternative, counted: &Counted) -> Result<TestResult> {
    let ((at_least, at_most), all) = counted.with(
        &sums.ranks,
        |ranks| choices(ranks, n_a),
        |ways| (tails(ways, sums.doubled), ways.iter().sum::<f64>()),
    );
    let floor = alternative.tails() as f64 / all;
    Ok(TestResult::new(TEST, "exact", u, alternative.combine(at_least, at_most))?.smallest_p(floor))
}

/// For every rank sum, the choices of `n_a` ranks with that sum.
fn choices(ranks: &[usize], n_a: usize) -> Vec<f64> {
    let mut ways = vec![vec![0.0; ranks.iter().sum::<usize>() + 1]; n_a + 1];
    ways[0][0] = 1.0;
    let mut reach = 0;
    for rank in ranks {
        reach += rank;
        for chosen in (1..=n_a).rev() {
            let (fewer, these) = ways.split_at_mut(chosen);
            for sum in *rank..=reach {
                these[0][sum] += fewer[chosen - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(n_a)
}

fn approximate(u: f64, tie_term: f64, n_a: f64, n_b: f64, alternative: Alternative) -> Result<TestResult> {
    let (sd, pairs) = (spread(tie_term, n_a, n_b), n_a * n_b);
    let normal = Normal::standard();
    let above = |u: f64| normal.sf((u - pairs / 2.0 - 0.5) / sd);
    TestResult::new(TEST, "normal approximation", u, alternative.combine(above(u), above(pairs - u)))
}

/// The standard deviation of U under the null.
fn spread(tie_term: f64, n_a: f64, n_b: f64) -> f64 {
    let n = n_a + n_b;
    (n_a * n_b / 12.0 * (n + 1.0 - tie_term / (n * (n - 1.0)))).sqrt()
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
    let (a, b) = (sorted(a), negated(b));
    finite_result(TEST, a[0] + b[0])?;
    finite_result(TEST, a[a.len() - 1] + b[b.len() - 1])?;
    Ok(Sums::of(&a, &b).median())
}

/// The negatives of values, sorted: a sum with one of them is a difference.
fn negated(values: &[f64]) -> Vec<f64> {
    sorted(&values.iter().map(|value| -value).collect::<Vec<f64>>())
}

/// Where the ends of the interval are by the normal approximation.
fn guess(a: &[f64], b: &[f64], step: f64, terms: &Terms) -> Option<Near> {
    if a.len() + b.len() <= EXACT_UP_TO {
        return None;
    }
    let sd = spread(tie_term(a) + tie_term(b), a.len() as f64, b.len() as f64);
    let reach = 0.5 - Normal::standard().inverse_cdf(terms.tail()?) * sd;
    near(&Sums::of(a, &negated(b)), reach, step, sd, largest(a).max(largest(b)))
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
        let (a, b, counted) = (sorted(a), sorted(b), Counted::default());
        let p_value = |shift, alternative| at(&a, &b, shift, alternative, &counted).map_or(1.0, |found| found.p_value);
        terms.dual_near(estimate, step, guess(&a, &b, step, terms), "hodges-lehmann", p_value)
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
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, assert_reference, normals, samples, seeded,
    };

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
    fn the_shift_and_its_interval_are_those_of_all_differences_and_of_halving() {
        for (a, b) in samples(&mut seeded(5), [61, 48]).into_iter().chain(samples(&mut seeded(6), [13, 20])) {
            let all = sorted(&a.iter().flat_map(|a| b.iter().map(move |b| a - b)).collect::<Vec<f64>>());
            let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
            assert_eq!(shift(&a, &b).unwrap(), median);
            for (alternative, alpha) in [(Alternative::TwoSided, 0.05), (Alternative::Less, 0.001)] {
                let terms = Terms { alternative, alpha, draws: 1, seed: 0, margin: None, groups: None, crossed: None };
                let data = Data::Samples { observed: &a, null: &b, paired: false };
                let found = MannWhitney.interval(&terms, data).unwrap().unwrap();
                let p_value = |shift, way| {
                    let moved: Vec<f64> = a.iter().map(|value| value - shift).collect();
                    mann_whitney(&moved, &b, way).unwrap().p_value
                };
                let halved = terms.dual(median, step(&a, &b), "hodges-lehmann", p_value).unwrap().unwrap();
                let rounding = 1e-14 * (1.0 + largest(&a).max(largest(&b)));
                assert_close(found.low, halved.low, rounding);
                assert_close(found.high, halved.high, rounding);
            }
        }
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
