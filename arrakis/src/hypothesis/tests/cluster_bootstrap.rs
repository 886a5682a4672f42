//! The cluster bootstrap test of a mean: is it some given number, if values of one group are not independent?
//!
//! Source: Cameron, Gelbach & Miller, "Bootstrap-based improvements for inference with clustered errors" (2008), the
//! pairs cluster bootstrap-t. The p-value is (b + 1) / (B + 1) as in Phipson & Smyth (2010).

use super::bootstrap::{interval_of, of_mean, of_units};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::guard::{check, check_draws, check_number, largest, shifted};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "cluster_bootstrap";

/// With fewer groups the p-value is approximate.
const FEW_GROUPS: usize = 10;

/// Tests whether the mean of `values` is `null` if values of one group are not independent, such as the prompts of one
/// template. Whole groups are drawn, and the standard error is the one between groups.
///
/// `groups[i]` is the group of `values[i]`. The statistic is t, the mean difference in standard errors. With fewer than
/// ten groups a note says that the p-value is rough.
///
/// # Errors
///
/// As [`bootstrap_test`](super::functions::bootstrap_test); also for lengths that differ and for fewer than two groups.
pub fn cluster_bootstrap_test<G: Ord>(
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
    let scale = largest(values).max(null.abs());
    let differences = shifted(TEST, values, null)?;
    let units = units::of_clusters(&units::clusters(TEST, &differences, groups)?);
    let found = of_units(TEST, &units, &differences, scale, alternative, draws, seed)?;
    if units.len() >= FEW_GROUPS {
        return Ok(found);
    }
    Ok(found.note(format!("there are {} groups: with fewer than {FEW_GROUPS} the p-value is rough", units.len())))
}

/// See [`cluster_bootstrap_test`].
pub(super) struct ClusterBootstrap;

impl Statistic for ClusterBootstrap {
    fn assumes(&self) -> &'static str {
        "independent groups, enough of them to represent all groups"
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

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (differences, draws) = (data.differences()?, terms.resamples());
        cluster_bootstrap_test(&differences, terms.groups(), 0.0, terms.alternative, draws, terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        let units = units::of_clusters(&units::clusters(TEST, &differences, terms.groups())?);
        interval_of(&units, largest(&differences), terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::GUARDED)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::bootstrap_test;
    use super::*;
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, grouped, normals, numbers, reference, seeded,
    };

    #[test]
    fn the_p_value_approaches_that_of_all_choices_of_groups() {
        let expected = reference("cluster_bootstrap_test");
        let (values, groups) = (numbers(&expected["values"]), numbers(&expected["groups"]));
        let groups: Vec<u64> = groups.into_iter().map(|group| group as u64).collect();
        for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
            let null = expected["null"].as_f64().unwrap();
            let found = cluster_bootstrap_test(&values, &groups, null, alternative, 40_000, 0).unwrap();
            assert_close(found.p_value, expected[alternative.to_string()].as_f64().unwrap(), 0.0075);
            assert_close(found.statistic, expected["statistic"].as_f64().unwrap(), 1e-10);
        }
    }

    #[test]
    fn with_a_group_for_each_value_it_is_the_bootstrap() {
        let values = normals(&mut seeded(3), 25);
        let groups: Vec<usize> = (0..25).collect();
        let alone = bootstrap_test(&values, 0.2, Alternative::TwoSided, 499, 7).unwrap();
        assert_eq!(cluster_bootstrap_test(&values, &groups, 0.2, Alternative::TwoSided, 499, 7).unwrap(), alone);
    }

    #[test]
    fn it_errs_one_time_in_twenty_if_values_of_a_group_are_similar() {
        assert_null_rate(|rng, seed| {
            let (values, groups) = grouped(rng, &[5; 20]);
            cluster_bootstrap_test(&values, &groups, 0.0, Alternative::TwoSided, 199, seed).unwrap()
        });
        assert_power(0.95, |rng, seed| {
            let (values, groups) = grouped(rng, &[5; 20]);
            cluster_bootstrap_test(&values, &groups, -1.0, Alternative::Greater, 199, seed).unwrap()
        });
    }

    #[test]
    fn mistakes_are_named_and_few_groups_are_noted() {
        let p = |groups: &[&str]| cluster_bootstrap_test(&[1.0, 2.0, 0.5], groups, 0.0, Alternative::Greater, 99, 0);
        assert_eq!(
            p(&["a", "a"]).unwrap_err().to_string(),
            "`cluster_bootstrap`: there are 3 values and 2 groups; give one group per value"
        );
        assert_eq!(
            p(&["a", "a", "a"]).unwrap_err().to_string(),
            "`cluster_bootstrap`: all values belong to one group; give at least two groups, or leave `groups` out"
        );
        assert_eq!(p(&["a", "b", "b"]).unwrap().notes, ["there are 2 groups: with fewer than 10 the p-value is rough"]);
    }
}
