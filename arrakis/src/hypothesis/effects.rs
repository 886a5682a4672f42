//! Effect sizes: how large a difference is, as opposed to how certain.
//!
//! Source: Cohen, "Statistical Power Analysis" (1988); Hedges, "Distribution theory for Glass's estimator" (1981);
//! Cliff, "Dominance statistics" (1993); Kerby, "The simple difference formula" (2014).

use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::ground::guard::{check, differences, finite_result, largest, moments, power_of_two, refuse};
use super::ground::rank::{RankSum, merged, rank, rank_sums, sorted};
use crate::error::{Error, Result};

/// A named effect size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectSize {
    /// Such as `d_z`, `hedges_g`, `rank_biserial`, `cliffs_delta`, `cohen_h` or `z`.
    pub name: String,
    /// Its value, without units.
    pub value: f64,
}

impl EffectSize {
    pub(crate) fn new(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value }
    }

    /// Hedges's g of two independent samples.
    pub(crate) fn hedges_g(a: &[f64], b: &[f64]) -> Result<Self> {
        Ok(Self::new("hedges_g", hedges_g(a, b)?))
    }

    /// `d_z` of `differences` from the null.
    pub(crate) fn d_z(differences: &[f64]) -> Result<Self> {
        Ok(Self::new("d_z", cohen_dz(differences)?))
    }
}

/// Cohen's d: the difference of the means of independent samples, in pooled standard deviations.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two values on either side or values that are not finite; [`Error::Degenerate`]
/// if neither sample varies.
pub fn cohen_d(a: &[f64], b: &[f64]) -> Result<f64> {
    check("cohen_d", "a", a, 2)?;
    check("cohen_d", "b", b, 2)?;
    let scale = largest(a).max(largest(b));
    let (a, b) = (moments(a), moments(b));
    if a.is_constant(scale) && b.is_constant(scale) {
        return Err(no_spread("cohen_d"));
    }
    let degrees = a.n + b.n - 2.0;
    let pooled = (a.sd * ((a.n - 1.0) / degrees).sqrt()).hypot(b.sd * ((b.n - 1.0) / degrees).sqrt());
    finite_result("cohen_d", (a.mean - b.mean) / pooled)
}

/// Hedges's g: Cohen's d, corrected by the exact factor for its bias in small samples.
///
/// # Errors
///
/// As [`cohen_d`].
pub fn hedges_g(a: &[f64], b: &[f64]) -> Result<f64> {
    let half = (a.len() + b.len()) as f64 / 2.0 - 1.0;
    let d = cohen_d(a, b)?;
    finite_result("hedges_g", d * (ln_gamma(half) - ln_gamma(half - 0.5)).exp() / half.sqrt())
}

/// Cohen's `d_z`: the mean of paired differences (or of a sample minus its null), in their standard deviations.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two differences or values that are not finite; [`Error::Degenerate`] if they do
/// not vary.
pub fn cohen_dz(differences: &[f64]) -> Result<f64> {
    check("cohen_dz", "differences", differences, 2)?;
    let found = moments(differences);
    if found.is_constant(largest(differences)) {
        return Err(no_spread("cohen_dz"));
    }
    finite_result("cohen_dz", found.mean / found.sd)
}

/// Cohen's h: the difference of two proportions, in radians, on a scale that stabilises their variance; in `[-pi, pi]`.
///
/// # Errors
///
/// [`Error::Statistics`] for a proportion outside `[0, 1]`.
pub fn cohen_h(a: f64, b: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&a) || !(0.0..=1.0).contains(&b) {
        return Err(refuse("cohen_h", format!("the proportions are {a} and {b}"), "give two between 0 and 1"));
    }
    Ok(2.0 * (a.sqrt().asin() - b.sqrt().asin()))
}

/// Cliff's delta: the share of pairs with `a` above `b`, minus the share with `a` below `b`; in `[-1, 1]`.
///
/// # Errors
///
/// [`Error::Statistics`] for an empty sample or values that are not finite.
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Result<f64> {
    check("cliffs_delta", "a", a, 1)?;
    check("cliffs_delta", "b", b, 1)?;
    let mut sums = RankSum::default();
    merged(&sorted(a), &sorted(b), 0.0, |ties, of_a| sums.add(ties, of_a));
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let u = sums.sum() - n_a * (n_a + 1.0) / 2.0;
    Ok(2.0 * u / (n_a * n_b) - 1.0)
}

/// The matched-pairs rank-biserial correlation: the share of the rank sum that is positive, minus the share that is
/// negative; in `[-1, 1]`, and 0 if every difference is zero.
///
/// # Errors
///
/// [`Error::Statistics`] for no differences or values that are not finite.
pub fn rank_biserial(differences: &[f64]) -> Result<f64> {
    check("rank_biserial", "differences", differences, 1)?;
    let (plus, minus) = rank_sums(differences);
    Ok(if plus + minus == 0.0 { 0.0 } else { (plus - minus) / (plus + minus) })
}

/// Pearson's correlation of paired values; in `[-1, 1]`.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two pairs, unequal lengths or values that are not finite; [`Error::Degenerate`]
/// if either side does not vary.
pub fn pearson(a: &[f64], b: &[f64]) -> Result<f64> {
    correlation("pearson", a, b)
}

/// Spearman's correlation: Pearson's of the ranks, with tied values sharing a mean rank; in `[-1, 1]`.
///
/// # Errors
///
/// As [`pearson`].
pub fn spearman(a: &[f64], b: &[f64]) -> Result<f64> {
    check("spearman", "a", a, 2)?;
    check("spearman", "b", b, 2)?;
    correlation("spearman", &rank(a), &rank(b))
}

fn correlation(test: &'static str, a: &[f64], b: &[f64]) -> Result<f64> {
    check(test, "a", a, 2)?;
    let (a, b) = (scaled(a), scaled(b));
    differences(test, &a, &b)?;
    let (of_a, of_b) = (moments(&a), moments(&b));
    if of_a.is_constant(largest(&a)) || of_b.is_constant(largest(&b)) {
        return Err(no_spread(test));
    }
    let products: f64 = a.iter().zip(&b).map(|(a, b)| (a - of_a.mean) / of_a.sd * ((b - of_b.mean) / of_b.sd)).sum();
    Ok(finite_result(test, products / (of_a.n - 1.0))?.clamp(-1.0, 1.0))
}

/// `values` scaled to magnitudes near 1, which changes no correlation.
fn scaled(values: &[f64]) -> Vec<f64> {
    let scale = power_of_two(largest(values));
    values.iter().map(|value| value / scale).collect()
}

fn no_spread(test: &'static str) -> Error {
    Error::Degenerate {
        test,
        problem: "the values do not vary".into(),
        fix: "measure on inputs that differ, or report the difference in units of the metric".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::{assert_close, numbers, reference};
    use super::super::stats::{mann_whitney, paired_differences};
    use super::*;

    #[test]
    fn numpy_and_scipy_give_the_same_numbers() {
        let expected = reference("effect");
        let (a, b) = (numbers(&expected["a"]), numbers(&expected["b"]));
        let differences = paired_differences(&a, &b).unwrap();
        let close = |found: Result<f64>, key: &str| {
            assert_close(found.unwrap(), expected[key].as_f64().unwrap(), 1e-10);
        };
        close(cohen_d(&a, &b), "cohen_d");
        close(hedges_g(&a, &b), "hedges_g");
        close(cohen_dz(&differences), "cohen_dz");
        close(cliffs_delta(&a, &b), "cliffs_delta");
        close(rank_biserial(&differences), "rank_biserial");
        close(pearson(&a, &b), "pearson");
        close(spearman(&a, &b), "spearman");
    }

    #[test]
    fn hand_computed_cases() {
        assert_close(cohen_d(&[2.0, 4.0], &[1.0, 3.0]).unwrap(), 0.5f64.sqrt(), 1e-14);
        assert_close(cohen_dz(&[1.0, 2.0, 3.0]).unwrap(), 2.0, 1e-14);
        assert_close(cohen_h(1.0, 0.0).unwrap(), std::f64::consts::PI, 1e-14);
        assert_close(cliffs_delta(&[1.0, 3.0], &[2.0, 3.0]).unwrap(), -0.25, 1e-14);
        assert_close(rank_biserial(&[-1.0, 2.0, 3.0]).unwrap(), 4.0 / 6.0, 1e-14);
        assert_close(spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]).unwrap(), 1.0, 1e-14);
    }

    #[test]
    fn cliffs_delta_is_u_on_another_scale() {
        let (a, b) = ([1.0, 5.0, 2.0], [2.0, 0.0, 3.0, 4.0]);
        let u = mann_whitney(&a, &b, super::super::ground::Alternative::TwoSided).unwrap().statistic;
        assert_close(cliffs_delta(&a, &b).unwrap(), 2.0 * u / 12.0 - 1.0, 1e-14);
    }

    #[test]
    fn values_that_do_not_vary_are_an_error_by_name() {
        assert_eq!(
            pearson(&[0.1; 3], &[1.0, 2.0, 3.0]).unwrap_err().to_string(),
            "`pearson` is degenerate: the values do not vary; measure on inputs that differ, or report the difference in \
             units of the metric"
        );
        assert!(cohen_dz(&[0.1; 4]).is_err());
        assert!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
        assert!(cohen_h(1.5, 0.0).is_err());
        assert_close(pearson(&[1e300, 2e300], &[1e-300, -2e-300]).unwrap(), -1.0, 1e-12);
    }
}
