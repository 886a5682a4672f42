//! The guarded test of two means of groups: each group counts as one value of its sample, its mean.
//!
//! Source: as [`robust_difference`], on the means of groups; Donner & Klar, "Design and Analysis of Cluster Randomization
//! Trials" (2000), section 6.3.

use std::collections::BTreeSet;

use super::bootstrap::of_mean;
use super::cluster_mean::means;
use super::permutation::least_labels;
use super::robust_difference::{interval_of, limits, robust_difference};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::guard::{check, mean, refuse};
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::Shape;
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "cluster_difference";

/// Tests whether the means over groups of their means are the same in independent `a` and `b`, if values of one group are
/// not independent.
///
/// `groups_a[i]` is the group of `a[i]`, and `groups_b[i]` that of `b[i]`. It is [`robust_difference`] of the means of the
/// groups.
///
/// # Errors
///
/// As [`robust_difference`]; also for lengths that differ, for fewer than two groups in a sample, and for a group that has
/// values in both.
pub fn cluster_difference<G: Ord + std::fmt::Display>(
    [a, b]: [&[f64]; 2],
    [groups_a, groups_b]: [&[G]; 2],
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    let [a, b] = means_of([a, b], [groups_a, groups_b])?;
    robust_difference(&a, &b, alternative, draws, seed)
}

/// The means of the groups of both samples.
fn means_of<G: Ord + std::fmt::Display>([a, b]: [&[f64]; 2], [groups_a, groups_b]: [&[G]; 2]) -> Result<[Vec<f64>; 2]> {
    check(TEST, "a", a, 2)?;
    check(TEST, "b", b, 2)?;
    let of_a: BTreeSet<&G> = groups_a.iter().collect();
    if let Some(shared) = groups_b.iter().find(|group| of_a.contains(group)) {
        let fix = "compare the means of the groups as pairs, or give the groups of each sample names of their own";
        return Err(refuse(
            TEST,
            format!("the group `{shared}` has values in both samples, which are then not independent"),
            fix,
        ));
    }
    Ok([means(TEST, a, groups_a)?, means(TEST, b, groups_b)?])
}

/// The groups of the measurement and those of the null, which follow them.
pub(crate) fn split<'g>(groups: &'g [String], a: &[f64], b: &[f64]) -> Result<[&'g [String]; 2]> {
    if groups.len() != a.len() + b.len() {
        let problem = format!("there are {} and {} values, and {} groups", a.len(), b.len(), groups.len());
        let fix = "give one group per value, those of the measurement first and those of the null after them";
        return Err(refuse(TEST, problem, fix));
    }
    let (of_a, of_b) = groups.split_at(a.len());
    Ok([of_a, of_b])
}

/// See [`cluster_difference`].
pub(super) struct ClusterDifference;

impl ClusterDifference {
    fn means(terms: &Terms, data: Data) -> Result<[Vec<f64>; 2]> {
        let (a, b) = data.samples();
        means_of([a, b], split(terms.groups(), a, b)?)
    }
}

impl Statistic for ClusterDifference {
    fn assumes(&self) -> &'static str {
        "independent groups, each in one sample, whose means are not decided by rare large ones"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
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

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_labels(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let [a, b] = Self::means(terms, data)?;
        robust_difference(&a, &b, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let [a, b] = Self::means(terms, data)?;
        interval_of(&a, &b, terms)
    }

    fn estimate(&self, terms: &Terms, data: Data) -> Result<f64> {
        let [a, b] = Self::means(terms, data)?;
        Ok(mean(&a) - mean(&b))
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, limits(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, grouped, normals, seeded};

    #[test]
    fn it_is_the_test_of_the_means_of_groups() {
        let (a, b) = ([1.0, 3.0, 5.0, 4.0, 6.0], [0.0, 1.0, 2.0]);
        let groups = [&["b", "b", "a", "c", "c"][..], &["d", "e", "f"]];
        let found = cluster_difference([&a, &b], groups, Alternative::Greater, 499, 2).unwrap();
        assert_eq!(found, robust_difference(&[5.0, 2.0, 5.0], &b, Alternative::Greater, 499, 2).unwrap());
        // Means 4 and 1 with standard errors 1 and 1/sqrt(3).
        assert_close(found.statistic, 3.0 / (4.0f64 / 3.0).sqrt(), 1e-12);
    }

    #[test]
    fn it_errs_one_time_in_twenty_if_values_of_a_group_are_similar() {
        let sizes = ([1, 2, 3, 4, 1, 2, 3, 4, 1, 2], [4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1]);
        let samples = |rng: &mut _| {
            let ((a, of_a), (b, of_b)) = (grouped(rng, &sizes.0), grouped(rng, &sizes.1));
            (a, of_a, b, of_b.iter().map(|group| group + 10).collect::<Vec<usize>>())
        };
        let judge = |(a, of_a, b, of_b): (Vec<f64>, Vec<usize>, Vec<f64>, Vec<usize>), seed| {
            cluster_difference([&a, &b], [&of_a, &of_b], Alternative::TwoSided, 199, seed).unwrap()
        };
        assert_null_rate(|rng, seed| judge(samples(rng), seed));
        assert_power(0.95, |rng, seed| {
            let (a, of_a, b, of_b) = samples(rng);
            judge((a.iter().map(|x| x + 2.5).collect(), of_a, b, of_b), seed)
        });
    }

    #[test]
    fn copies_within_groups_change_nothing() {
        let (a, b) = (normals(&mut seeded(1), 9), normals(&mut seeded(2), 7));
        let copied = |values: &[f64]| values.iter().flat_map(|&value| [value; 5]).collect::<Vec<f64>>();
        let groups = |from: usize, n: usize| (0..5 * n).map(|index| from + index / 5).collect::<Vec<usize>>();
        let found =
            cluster_difference([&copied(&a), &copied(&b)], [&groups(0, 9), &groups(9, 7)], Alternative::Less, 499, 0);
        let single = robust_difference(&a, &b, Alternative::Less, 499, 0).unwrap();
        assert_close(found.unwrap().p_value, single.p_value, 1e-12);
    }

    #[test]
    fn mistakes_are_named() {
        let (a, b) = ([1.0, 2.0, 3.0], [1.0, 2.0]);
        let found = cluster_difference([&a, &b], [&["x", "y", "y"], &["z", "y"]], Alternative::Less, 99, 0);
        assert_eq!(
            found.unwrap_err().to_string(),
            "`cluster_difference`: the group `y` has values in both samples, which are then not independent; compare the means \
             of the groups as pairs, or give the groups of each sample names of their own"
        );
        let names = ["x", "y", "z"].map(str::to_owned);
        assert_eq!(
            split(&names, &a, &b).unwrap_err().to_string(),
            "`cluster_difference`: there are 3 and 2 values, and 3 groups; give one group per value, those of the measurement \
             first and those of the null after them"
        );
        let one = cluster_difference([&a, &b], [&["x", "x", "x"], &["z", "y"]], Alternative::Less, 99, 0).unwrap_err();
        assert!(one.to_string().contains("`cluster_difference`: all values belong to one group"), "{one}");
    }
}
