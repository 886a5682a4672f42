//! The Wilcoxon signed-rank test: is a sample symmetric about the null, by ranks?
//!
//! Source: Wilcoxon, "Individual comparisons by ranking methods" (1945); zeros are dropped, ties share their mean rank.

use statrs::distribution::{ContinuousCDF, Normal};

use super::sign_flip::{least_signs, of_symmetry};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, rank_biserial};
use crate::hypothesis::estimand::Estimand;
use crate::hypothesis::ground::dual::Near;
use crate::hypothesis::ground::guard::{check, check_number, differences, largest, moments, refuse, shifted};
use crate::hypothesis::ground::rank::{Counted, RankSum, magnitudes, near, sorted, tails, tie_term};
use crate::hypothesis::ground::select::Sums;
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::Shape;
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "wilcoxon";

/// Up to this many non-zero differences, rank sums are counted exactly, ties included.
const EXACT_UP_TO: usize = 50;

/// Tests whether `values` is symmetric about `null`.
///
/// The statistic is W+, the sum of the ranks of the positive differences. It is exact up to 50 non-zero differences,
/// ties included; above, a normal approximation with the tie correction and without a continuity correction.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values, or values that are not finite.
pub fn wilcoxon(values: &[f64], null: f64, alternative: Alternative) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    of_differences(&shifted(TEST, values, null)?, alternative)
}

/// [`wilcoxon`] of the differences `a[i] - b[i]` about zero.
///
/// # Errors
///
/// As [`wilcoxon`], and for unequal lengths.
pub fn wilcoxon_paired(a: &[f64], b: &[f64], alternative: Alternative) -> Result<TestResult> {
    let differences = differences(TEST, a, b)?;
    if differences.len() < 2 {
        return Err(refuse(TEST, "there is one pair", "give at least 2"));
    }
    of_differences(&differences, alternative)
}

fn of_differences(differences: &[f64], alternative: Alternative) -> Result<TestResult> {
    let dropped = differences.iter().filter(|&&difference| difference == 0.0).count();
    if dropped == differences.len() {
        return Ok(TestResult::no_effect("exact", "every difference is zero"));
    }
    let found = at(&sorted(differences), 0.0, alternative, &Counted::default())?;
    Ok(if dropped > 0 { found.note(format!("{dropped} differences are zero and were dropped")) } else { found })
}

/// The test of sorted differences, shifted down.
fn at(sorted: &[f64], shift: f64, alternative: Alternative, counted: &Counted) -> Result<TestResult> {
    let mut sums = RankSum::keeping(EXACT_UP_TO);
    magnitudes(sorted, shift, |ties, positive| sums.add(ties, positive));
    match sums.n {
        0 => Ok(TestResult::no_effect("exact", "every difference is zero")),
        n if n <= EXACT_UP_TO => exact(&sums, alternative, counted),
        n => approximate(sums.sum(), n as f64, sums.tie_term, alternative),
    }
}

fn exact(sums: &RankSum, alternative: Alternative, counted: &Counted) -> Result<TestResult> {
    let (at_least, at_most) = counted.with(&sums.ranks, patterns, |ways| tails(ways, sums.doubled));
    let floor = alternative.tails() as f64 / 2f64.powi(sums.n as i32);
    Ok(TestResult::new(TEST, "exact", sums.sum(), alternative.combine(at_least, at_most))?.smallest_p(floor))
}

/// For every value of W+, the sign patterns that give it.
fn patterns(ranks: &[usize]) -> Vec<f64> {
    let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for rank in ranks {
        for sum in (*rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways
}

fn approximate(plus: f64, n: f64, tie_term: f64, alternative: Alternative) -> Result<TestResult> {
    let z = (plus - n * (n + 1.0) / 4.0) / spread(tie_term, n);
    let normal = Normal::standard();
    TestResult::new(TEST, "normal approximation", plus, alternative.combine(normal.sf(z), normal.cdf(z)))
}

/// The standard deviation of W+ under the null.
fn spread(tie_term: f64, n: f64) -> f64 {
    (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tie_term / 48.0).sqrt()
}

/// The median of the means of all pairs of values, each with itself too (Hodges & Lehmann, "Estimates of location based
/// on rank tests", 1963), in their units.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for no values, or values that are not finite.
pub fn pseudo_median(values: &[f64]) -> Result<f64> {
    check(TEST, "values", values, 1)?;
    Ok(Sums::of_pairs(&halves(&sorted(values))).median())
}

/// Half of each value: a sum of two is a mean.
fn halves(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value / 2.0).collect()
}

/// Where the ends of the interval are by the normal approximation.
fn guess(sorted: &[f64], step: f64, terms: &Terms) -> Option<Near> {
    if sorted.len() <= EXACT_UP_TO {
        return None;
    }
    let sd = spread(tie_term(sorted), sorted.len() as f64);
    let reach = -Normal::standard().inverse_cdf(terms.tail()?) * sd;
    near(&Sums::of_pairs(&halves(sorted)), reach, step, sd, largest(sorted))
}

/// See [`wilcoxon`].
pub(super) struct Wilcoxon;

impl Statistic for Wilcoxon {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, symmetric about it"
    }

    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::PseudoMedian
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_signs(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        wilcoxon(&data.differences()?, 0.0, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        let step = moments(&differences).standard_error().max(largest(&differences) * f64::EPSILON);
        let estimate = pseudo_median(&differences)?;
        let (sorted, counted) = (sorted(&differences), Counted::default());
        let p_value = |shift, way| at(&sorted, shift, way, &counted).map_or(1.0, |found| found.p_value);
        terms.dual_near(estimate, step, guess(&sorted, step, terms), "hodges-lehmann", p_value)
    }

    fn estimate(&self, _terms: &Terms, data: Data) -> Result<f64> {
        pseudo_median(&data.differences()?)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        Ok(EffectSize::new("rank_biserial", rank_biserial(&data.differences()?)?))
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_symmetry(shape, terms)
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
        for key in ["wilcoxon", "wilcoxon_ties", "wilcoxon_large", "wilcoxon_large_ties"] {
            assert_reference(key, 1e-10, |a, b, alternative| wilcoxon_paired(a, b, alternative).unwrap());
        }
    }

    #[test]
    fn a_hand_computed_case() {
        // Ranks 1, 2, 3 with the smallest negative: W+ = 5, reached or exceeded by 2 of the 8 patterns.
        let found = wilcoxon(&[-1.0, 2.0, 3.0], 0.0, Alternative::Greater).unwrap();
        assert_eq!(found.statistic, 5.0);
        assert_close(found.p_value, 2.0 / 8.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| wilcoxon(&normals(rng, 15), 0.0, Alternative::TwoSided).unwrap());
        assert_null_rate(|rng, _| wilcoxon(&normals(rng, 60), 0.0, Alternative::Greater).unwrap());
        assert_power(0.95, |rng, _| wilcoxon(&normals(rng, 30), -1.0, Alternative::Greater).unwrap());
    }

    #[test]
    fn the_pseudo_median_and_its_interval_are_those_of_all_pairs_and_of_halving() {
        for (values, _) in samples(&mut seeded(7), [83, 1]).into_iter().chain(samples(&mut seeded(8), [17, 1])) {
            let pairs = |i: usize| values[i..].iter().map(move |other| (i, *other));
            let all = (0..values.len()).flat_map(pairs).map(|(i, other)| f64::midpoint(values[i], other));
            let all = sorted(&all.collect::<Vec<f64>>());
            let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
            assert_eq!(pseudo_median(&values).unwrap(), median);
            for (alternative, alpha) in [(Alternative::TwoSided, 0.05), (Alternative::Greater, 0.01)] {
                let terms = Terms { alternative, alpha, draws: 1, seed: 0, margin: None, groups: None, crossed: None };
                let data = Data::Number { observed: &values, null: 0.0 };
                let found = Wilcoxon.interval(&terms, data).unwrap().unwrap();
                let p_value = |shift, way| wilcoxon(&values, shift, way).unwrap().p_value;
                let step = moments(&values).standard_error();
                let halved = terms.dual(median, step, "hodges-lehmann", p_value).unwrap().unwrap();
                let rounding = 1e-14 * (1.0 + largest(&values));
                assert_close(found.low, halved.low, rounding);
                assert_close(found.high, halved.high, rounding);
            }
        }
    }

    #[test]
    fn dropped_zeros_are_reported() {
        let found = wilcoxon(&[0.0, 0.0, 1.0, 2.0], 0.0, Alternative::Greater).unwrap();
        assert_eq!(found.notes, ["2 differences are zero and were dropped"]);
        assert_eq!(wilcoxon(&[0.0; 5], 0.0, Alternative::Greater).unwrap().p_value, 1.0);
        assert_eq!(
            wilcoxon(&[1.0], 0.0, Alternative::Greater).unwrap_err().to_string(),
            "`wilcoxon`: `values` has 1 values; give at least 2"
        );
    }
}
