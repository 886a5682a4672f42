//! The Wilcoxon signed-rank test: is a sample symmetric about the null, by ranks?
//!
//! Source: Wilcoxon, "Individual comparisons by ranking methods" (1945); zeros are dropped, ties share their mean rank.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::effects::{EffectSize, rank_biserial};
use crate::hypothesis::ground::Interval;
use crate::hypothesis::ground::guard::{check, check_number, differences, refuse, shifted};
use crate::hypothesis::ground::rank::{doubled, rank, rank_sums, tails};
use crate::hypothesis::ground::{Alternative, TestResult};
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
    let magnitudes: Vec<f64> = differences.iter().map(|d| d.abs()).filter(|&magnitude| magnitude != 0.0).collect();
    let dropped = differences.len() - magnitudes.len();
    if magnitudes.is_empty() {
        return Ok(TestResult::no_effect("exact", "every difference is zero"));
    }
    let (ranked, (plus, _)) = (rank(&magnitudes), rank_sums(differences));
    let found = if magnitudes.len() <= EXACT_UP_TO {
        exact(plus, &ranked.ranks, alternative)?
    } else {
        approximate(plus, magnitudes.len() as f64, ranked.tie_term, alternative)?
    };
    Ok(if dropped > 0 { found.note(format!("{dropped} differences are zero and were dropped")) } else { found })
}

/// Counts, for every value of W+, the sign patterns that give it.
fn exact(plus: f64, ranks: &[f64], alternative: Alternative) -> Result<TestResult> {
    let ranks = doubled(ranks);
    let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for rank in &ranks {
        for sum in (*rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let (at_least, at_most) = tails(&ways, (2.0 * plus).round() as usize);
    let floor = alternative.tails() as f64 / 2f64.powi(ranks.len() as i32);
    Ok(TestResult::new(TEST, "exact", plus, alternative.combine(at_least, at_most))?.smallest_p(floor))
}

fn approximate(plus: f64, n: f64, tie_term: f64, alternative: Alternative) -> Result<TestResult> {
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tie_term / 48.0;
    let z = (plus - n * (n + 1.0) / 4.0) / variance.sqrt();
    let normal = Normal::standard();
    TestResult::new(TEST, "normal approximation", plus, alternative.combine(normal.sf(z), normal.cdf(z)))
}

/// See [`wilcoxon`].
pub(super) struct Wilcoxon;

impl Statistic for Wilcoxon {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, symmetric about it"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Number { .. } | Design::Samples { paired: true })
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        if let Data::Samples { observed, null } = data {
            return wilcoxon_paired(observed, null, terms.alternative);
        }
        let (values, null) = data.number();
        wilcoxon(values, null, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        terms.bootstrap_interval(&data.differences()?).map(Some)
    }

    fn effect(&self, data: Data) -> Result<EffectSize> {
        Ok(EffectSize::new("rank_biserial", rank_biserial(&data.differences()?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

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
