//! The guarded test of a mean of groups: each group counts as one value, its mean.
//!
//! Source: as [`robust_mean`](super::robust_mean), on the means of groups; Donner & Klar, "Design and Analysis of Cluster
//! Randomization Trials" (2000), section 6.3.

use super::bootstrap::of_mean;
use super::robust_mean::{Robust, robust_mean};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::guard::{check, largest, mean};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "cluster_mean";

/// Tests whether the mean over groups of their means is `null`, if values of one group are not independent.
///
/// `groups[i]` is the group of `values[i]`. It is [`robust_mean`] of the means of the groups.
///
/// # Errors
///
/// As [`robust_mean`]; also for lengths that differ and for fewer than two groups.
pub fn cluster_mean<G: Ord>(
    values: &[f64],
    groups: &[G],
    null: f64,
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    robust_mean(&means(TEST, values, groups)?, null, alternative, draws, seed)
}

/// The mean of each group.
pub(crate) fn means<G: Ord>(test: &'static str, values: &[f64], groups: &[G]) -> Result<Vec<f64>> {
    Ok(units::clusters(test, values, groups)?.iter().map(|group| mean(group)).collect())
}

/// See [`cluster_mean`].
pub(super) struct ClusterMean;

impl ClusterMean {
    fn means(terms: &Terms, data: Data) -> Result<Vec<f64>> {
        means(TEST, &data.differences()?, terms.groups())
    }
}

impl Statistic for ClusterMean {
    fn assumes(&self) -> &'static str {
        "independent groups whose mean is not decided by rare large ones"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn suits(&self, shape: &Shape) -> bool {
        !shape.constant
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups]
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        robust_mean(&Self::means(terms, data)?, 0.0, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let means = Self::means(terms, data)?;
        let found = Robust::of(TEST, &means, largest(&means), terms.resamples(), terms.seed)?;
        found.map_or(Ok(None), |found| found.interval(terms))
    }

    fn estimate(&self, terms: &Terms, data: Data) -> Result<f64> {
        Ok(mean(&Self::means(terms, data)?))
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::GUARDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, grouped, normals, seeded};

    /// Twelve groups.
    const SIZES: [usize; 12] = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4];

    #[test]
    fn it_is_the_test_of_the_means_of_groups() {
        let (values, groups) = ([1.0, 3.0, 5.0, 4.0, 6.0], ["b", "b", "a", "c", "c"]);
        let found = cluster_mean(&values, &groups, 1.0, Alternative::Greater, 499, 2).unwrap();
        assert_eq!(found, robust_mean(&[5.0, 2.0, 5.0], 1.0, Alternative::Greater, 499, 2).unwrap());
        // The means are 5, 2 and 5, with mean 4 and standard error 1.
        assert_close(found.statistic, 3.0, 1e-12);
    }

    #[test]
    fn it_errs_one_time_in_twenty_if_values_of_a_group_are_similar() {
        assert_null_rate(|rng, seed| {
            let (values, groups) = grouped(rng, &SIZES);
            cluster_mean(&values, &groups, 0.0, Alternative::Greater, 199, seed).unwrap()
        });
        assert_power(0.95, |rng, seed| {
            let (values, groups) = grouped(rng, &SIZES);
            cluster_mean(&values, &groups, -2.0, Alternative::Greater, 199, seed).unwrap()
        });
    }

    #[test]
    fn copies_within_groups_change_nothing() {
        let values = normals(&mut seeded(1), 9);
        let copied: Vec<f64> = values.iter().flat_map(|&value| [value; 7]).collect();
        let groups: Vec<usize> = (0..63).map(|index| index / 7).collect();
        let found = cluster_mean(&copied, &groups, 0.1, Alternative::TwoSided, 499, 0).unwrap();
        assert_close(found.p_value, robust_mean(&values, 0.1, Alternative::TwoSided, 499, 0).unwrap().p_value, 1e-12);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            cluster_mean(&[1.0, 2.0], &["a"], 0.0, Alternative::Less, 99, 0).unwrap_err().to_string(),
            "`cluster_mean`: there are 2 values and 1 groups; give one group per value"
        );
    }
}
