//! The studentised permutation test: do two independent samples have the same mean, whatever their spreads?
//!
//! Source: Janssen, "Studentized permutation tests for non-iid hypotheses and the generalized Behrens-Fisher problem"
//! (1997); Chung & Romano, "Exact and asymptotically robust permutation tests" (2013).

use super::bootstrap::of_mean;
use super::permutation::{interval_of, least_labels, relabelled};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::guard::{check, check_draws};
use crate::hypothesis::ground::labels::{Labels, Scale};
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "studentised_permutation";

/// Tests whether independent `a` and `b` have the same mean, by exchanging labels.
///
/// The statistic is Welch's t; two-sided compares its magnitude. If both samples have the same distribution, the test is
/// exact; if not, it approaches its level as the samples grow. Up to 4096 relabellings are enumerated (`draws` and `seed`
/// are then unused); above, `draws` random ones are taken.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values in either sample, values that are
/// not finite, or 0 draws.
pub fn studentised_permutation(
    a: &[f64],
    b: &[f64],
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    check(TEST, "a", a, 2)?;
    check(TEST, "b", b, 2)?;
    check_draws(TEST, draws)?;
    relabelled(TEST, &Labels::of(a, b, Scale::Studentised, draws, seed), a.len() + b.len(), draws, alternative)
}

/// See [`studentised_permutation`].
pub(super) struct StudentisedPermutation;

impl Statistic for StudentisedPermutation {
    fn assumes(&self) -> &'static str {
        "independent values; under the null, the same distribution in both samples, or many values"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_labels(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        studentised_permutation(a, b, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        let labels = Labels::of(a, b, Scale::Studentised, terms.resamples(), terms.seed);
        interval_of(&labels, a, b, terms, "studentised permutation")
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, if shape.spread < 1.5 { Limits::ALIKE } else { Limits::PLAIN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, assert_reference, normals, seeded,
    };
    use crate::hypothesis::testing::{claim, sample};
    use crate::hypothesis::{Claim, Null, Test};

    #[test]
    fn scipy_gives_the_same_numbers_when_exact() {
        assert_reference("studentised_permutation", 1e-9, |a, b, alternative| {
            studentised_permutation(a, b, alternative, 1, 0).unwrap()
        });
    }

    #[test]
    fn a_hand_computed_case() {
        // Of the six relabellings of 1, 2, 3, 4 only the observed one has t = 2 / sqrt(1/2) as large.
        let p = |alternative| studentised_permutation(&[3.0, 4.0], &[1.0, 2.0], alternative, 99, 0).unwrap();
        assert_close(p(Alternative::Greater).statistic, 2.0 / 0.5f64.sqrt(), 1e-12);
        assert_close(p(Alternative::Greater).p_value, 1.0 / 6.0, 1e-15);
        assert_close(p(Alternative::TwoSided).p_value, 2.0 / 6.0, 1e-15);
    }

    #[test]
    fn it_errs_one_time_in_twenty_with_different_spreads_and_finds_a_true_effect() {
        assert_null_rate(|rng, seed| {
            let wide: Vec<f64> = normals(rng, 40).iter().map(|x| 3.0 * x).collect();
            studentised_permutation(&wide, &normals(rng, 20), Alternative::TwoSided, 199, seed).unwrap()
        });
        assert_power(0.95, |rng, seed| {
            let a: Vec<f64> = normals(rng, 30).iter().map(|x| x - 1.0).collect();
            studentised_permutation(&a, &normals(rng, 30), Alternative::Less, 199, seed).unwrap()
        });
    }

    #[test]
    fn constants_get_an_answer_and_one_value_an_error_by_name() {
        let p = |a: &[f64], b: &[f64]| studentised_permutation(a, b, Alternative::TwoSided, 99, 0);
        assert_eq!(p(&[0.1; 9], &[0.1; 30]).unwrap().p_value, 1.0);
        assert_close(p(&[9.0; 40], &[0.0; 40]).unwrap().p_value, 0.01, 1e-15);
        assert_eq!(
            p(&[1.0], &[1.0, 2.0]).unwrap_err().to_string(),
            "`studentised_permutation`: `a` has 1 values; give at least 2"
        );
    }

    #[test]
    fn claims_about_skewed_samples_of_unequal_spread_are_cautioned() {
        // Exponential values of mean 0, those of `b` four times as wide: the spread of few values often hides it.
        let (rng, mut false_claims, mut unwarned) = (&mut seeded(4), 0, 0);
        let claim = Claim {
            test: Test::StudentisedPermutation,
            alternative: Alternative::Greater,
            paired: Some(false),
            ..claim(Test::Auto)
        };
        for _ in 0..300 {
            let mut exponential = |n: usize, wide: f64| {
                normals(rng, 2 * n)
                    .chunks(2)
                    .map(|pair| wide * (f64::midpoint(pair[0].powi(2), pair[1].powi(2)) - 1.0))
                    .collect::<Vec<f64>>()
            };
            let (a, b) = (exponential(24, 1.0), exponential(6, 4.0));
            let verdict = claim.judge(sample(a), Null::Sample(sample(b))).unwrap();
            false_claims += usize::from(verdict.holds);
            unwarned += usize::from(verdict.holds && verdict.caution.is_none());
        }
        // 3 %, where 5 % would be the level.
        assert!(false_claims > 30 && unwarned <= 9, "{false_claims} {unwarned}");
    }
}
