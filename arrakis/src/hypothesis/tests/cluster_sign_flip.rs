//! The sign-flip test by groups: is a mean some given number, if values of one group are not independent?
//!
//! Source: Fisher, "The Design of Experiments" (1935), with whole groups flipped; Canay, Romano & Shaikh, "Randomization
//! tests under an approximate symmetry assumption" (2017).

use super::sign_flip::{interval_of, least_signs, of_flips, of_symmetry};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::flips::Flips;
use crate::hypothesis::ground::guard::{check, check_draws, check_number, shifted};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, units};
use crate::hypothesis::shape::Shape;
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "cluster_sign_flip";

/// Tests whether the sums of `values - null` over groups are symmetric about zero, by flipping the signs of whole groups,
/// such as the prompts of one template.
///
/// `groups[i]` is the group of `values[i]`. The statistic is the mean difference from `null`. All flips of up to 12 groups
/// are enumerated, so it is exact for a few groups; above, `draws` random ones are taken.
///
/// # Errors
///
/// As [`sign_flip`](super::functions::sign_flip); also for lengths that differ and for fewer than two groups.
pub fn cluster_sign_flip<G: Ord>(
    values: &[f64],
    groups: &[G],
    null: f64,
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    check_draws(TEST, draws)?;
    let differences = shifted(TEST, values, null)?;
    of_flips(TEST, &flips(&differences, groups, draws, seed)?, &differences, alternative, None)
}

fn flips<G: Ord>(differences: &[f64], groups: &[G], draws: usize, seed: u64) -> Result<Flips> {
    Ok(Flips::of(&units::of_clusters(&units::clusters(TEST, differences, groups)?), draws, seed))
}

/// See [`cluster_sign_flip`].
pub(super) struct ClusterSignFlip;

impl Statistic for ClusterSignFlip {
    fn assumes(&self) -> &'static str {
        "independent groups; under the null, their sums symmetric about it"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups]
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_signs(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (differences, draws) = (data.differences()?, terms.resamples());
        cluster_sign_flip(&differences, terms.groups(), 0.0, terms.alternative, draws, terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        interval_of(&flips(&differences, terms.groups(), terms.resamples(), terms.seed)?, &differences, terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_symmetry(shape, terms)
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::sign_flip;
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, grouped, normals, seeded};

    #[test]
    fn a_hand_computed_case() {
        // The sums of the groups are 3 and 1: one of four patterns is as large.
        let p = |alternative| cluster_sign_flip(&[1.0, 2.0, 1.0], &["a", "a", "b"], 0.0, alternative, 99, 0).unwrap();
        assert_close(p(Alternative::Greater).p_value, 1.0 / 4.0, 1e-15);
        assert_close(p(Alternative::TwoSided).p_value, 2.0 / 4.0, 1e-15);
        assert_close(p(Alternative::Less).statistic, 4.0 / 3.0, 1e-15);
    }

    #[test]
    fn with_a_group_for_each_value_it_is_the_sign_flip() {
        let (values, groups) = (normals(&mut seeded(3), 25), (0..25).collect::<Vec<usize>>());
        let alone = sign_flip(&values, 0.2, Alternative::TwoSided, 499, 7).unwrap();
        assert_eq!(cluster_sign_flip(&values, &groups, 0.2, Alternative::TwoSided, 499, 7).unwrap(), alone);
    }

    #[test]
    fn it_errs_one_time_in_twenty_if_values_of_a_group_are_similar() {
        assert_null_rate(|rng, seed| {
            let (values, groups) = grouped(rng, &[5; 8]);
            cluster_sign_flip(&values, &groups, 0.0, Alternative::TwoSided, 199, seed).unwrap()
        });
        assert_power(0.95, |rng, seed| {
            let (values, groups) = grouped(rng, &[5; 8]);
            cluster_sign_flip(&values, &groups, -2.0, Alternative::Greater, 199, seed).unwrap()
        });
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            cluster_sign_flip(&[1.0, 2.0], &["a", "a"], 0.0, Alternative::Less, 99, 0).unwrap_err().to_string(),
            "`cluster_sign_flip`: all values belong to one group; give at least two groups, or leave `groups` out"
        );
    }
}
