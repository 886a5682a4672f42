//! The test of a mean under two crossed groupings, such as seeds and templates.
//!
//! Source: Cameron, Gelbach & Miller, "Robust inference with multiway clustering" (2011); the residual variance by
//! Henderson's method 1, degrees of freedom by Satterthwaite, "An approximate distribution of estimates of variance
//! components" (1946).

use super::bootstrap::{no_spread, of_mean};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::guard::{check, check_number, finite_result, largest, mean, shifted};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;
use crate::hypothesis::variance::components;

const TEST: &str = "crossed_mean";

/// Tests whether the mean of `values` is `null` if values that share a group of `first` or of `second` are not independent,
/// such as those of one template and those of one seed.
///
/// The statistic is t. Its standard error adds the variances between the groups of either grouping, less the one that both
/// count. Effects of groups are taken to be about normal.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two values, values that are not finite, lengths
/// that differ, and fewer than two groups; [`Error::Degenerate`](crate::error::Error::Degenerate) if the values do not
/// vary and differ from `null`.
pub fn crossed_mean<G: Ord, H: Ord>(
    values: &[f64],
    first: &[G],
    second: &[H],
    null: f64,
    alternative: Alternative,
) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    let (differences, scale) = (shifted(TEST, values, null)?, largest(values).max(null.abs()));
    match Contrast::of(&differences, first, second, scale)? {
        Some(found) => found.result(alternative),
        None => Ok(TestResult::no_effect("student t", "every difference is zero")),
    }
}

/// A mean with its standard error under crossed groups.
struct Contrast {
    mean: f64,
    error: f64,
    df: f64,
    fewest: usize,
}

impl Contrast {
    /// `None` if all differences are zero.
    fn of<G: Ord, H: Ord>(differences: &[f64], first: &[G], second: &[H], scale: f64) -> Result<Option<Self>> {
        let centre = mean(differences);
        let centred: Vec<f64> = differences.iter().map(|value| value - centre).collect();
        let (of_first, fewer) = between(&centred, first)?;
        let (of_second, few) = between(&centred, second)?;
        let rounding = 8.0 * f64::EPSILON * scale;
        if largest(&centred) <= rounding {
            return if centre.abs() <= rounding { Ok(None) } else { Err(no_spread(TEST, centre)) };
        }
        let residual = components(&centred, &[levels(first), levels(second)])[2].max(0.0) / centred.len() as f64;
        let variance = (of_first + of_second - residual).max(of_first).max(of_second);
        let parts = of_first.powi(2) / (fewer as f64 - 1.0) + of_second.powi(2) / (few as f64 - 1.0);
        let (error, df) = (finite_result(TEST, variance.sqrt())?, finite_result(TEST, variance.powi(2) / parts)?);
        Ok(Some(Self { mean: centre, error, df, fewest: few.min(fewer) }))
    }

    fn result(&self, alternative: Alternative) -> Result<TestResult> {
        let t = finite_result(TEST, self.mean / self.error)?;
        let found = TestResult::new(TEST, "student t", t, student::p_value(t, self.df, alternative))?.df(self.df);
        Ok(found.note(format!("the smaller grouping has {} groups", self.fewest)))
    }
}

/// The variance of the mean from the sums of groups, and the number of groups.
fn between<G: Ord>(centred: &[f64], groups: &[G]) -> Result<(f64, usize)> {
    let clusters = units::clusters(TEST, centred, groups)?;
    let (count, n) = (clusters.len() as f64, centred.len() as f64);
    let squares: f64 = clusters.iter().map(|cluster| cluster.iter().sum::<f64>().powi(2)).sum();
    Ok((count / (count - 1.0) * squares / (n * n), clusters.len()))
}

/// The groups as numbers from 0.
pub(crate) fn levels<G: Ord>(groups: &[G]) -> Vec<usize> {
    let mut names: Vec<&G> = groups.iter().collect();
    names.sort();
    names.dedup();
    groups.iter().map(|group| names.partition_point(|name| *name < group)).collect()
}

/// See [`crossed_mean`].
pub(super) struct CrossedMean;

impl CrossedMean {
    fn contrast(terms: &Terms, data: Data) -> Result<Option<Contrast>> {
        let differences = data.differences()?;
        Contrast::of(&differences, terms.groups(), terms.crossed(), largest(&differences))
    }
}

impl Statistic for CrossedMean {
    fn assumes(&self) -> &'static str {
        "independent groups in both groupings; effects of groups approximately normal"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Groups, Need::Crossed]
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        crossed_mean(&data.differences()?, terms.groups(), terms.crossed(), 0.0, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (Some(found), Some(tail)) = (Self::contrast(terms, data)?, terms.tail()) else { return Ok(None) };
        let half = student::critical_at(tail, found.df) * found.error;
        terms.interval(found.mean - half, found.mean + half, "student t")
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::GUARDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, normals, reference};

    /// Twelve templates by eight seeds, each with its own level.
    fn crossed(rng: &mut rand_chacha::ChaCha8Rng) -> (Vec<f64>, Vec<usize>, Vec<usize>) {
        let (templates, seeds, noise) = (normals(rng, 12), normals(rng, 8), normals(rng, 96));
        let values = (0..96).map(|index| templates[index / 8] + seeds[index % 8] + noise[index]).collect();
        (values, (0..96).map(|index| index / 8).collect(), (0..96).map(|index| index % 8).collect())
    }

    #[test]
    fn in_a_balanced_table_the_standard_error_is_that_of_the_analysis_of_variance() {
        let expected = reference("crossed");
        let values: Vec<f64> = serde_json::from_value(expected["values"].clone()).unwrap();
        let [first, second]: [Vec<u64>; 2] =
            ["first", "second"].map(|key| serde_json::from_value(expected[key].clone()).unwrap());
        let found = crossed_mean(&values, &first, &second, 0.0, Alternative::TwoSided).unwrap();
        assert_close(found.statistic, mean(&values) / expected["standard_error"].as_f64().unwrap(), 1e-9);
    }

    #[test]
    fn it_errs_one_time_in_twenty_if_both_groupings_matter() {
        assert_null_rate(|rng, _| {
            let (values, templates, seeds) = crossed(rng);
            crossed_mean(&values, &templates, &seeds, 0.0, Alternative::TwoSided).unwrap()
        });
        assert_power(0.95, |rng, _| {
            let (values, templates, seeds) = crossed(rng);
            crossed_mean(&values, &templates, &seeds, -2.5, Alternative::Greater).unwrap()
        });
    }

    #[test]
    fn mistakes_and_constants_are_named() {
        let p = |values: &[f64], first: &[u8]| crossed_mean(values, first, &[1, 2, 1, 2], 0.0, Alternative::Less);
        assert_eq!(p(&[0.0; 4], &[1, 1, 2, 2]).unwrap().p_value, 1.0);
        assert!(p(&[0.1; 4], &[1, 1, 2, 2]).unwrap_err().to_string().starts_with("`crossed_mean` is degenerate"));
        assert_eq!(
            p(&[0.1, 0.2, 0.3, 0.4], &[1; 4]).unwrap_err().to_string(),
            "`crossed_mean`: all values belong to one group; give at least two groups, or leave `groups` out"
        );
    }
}
