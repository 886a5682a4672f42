//! Welch's t: do two independent samples have the same mean?
//!
//! Source: Welch, "The generalization of 'Student's' problem when several different population variances are involved"
//! (Biometrika, 1947).

use super::bootstrap::of_mean;
use crate::error::{Error, Result};
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::guard::{Moments, check, check_level, finite_result, largest, moments};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "welch";

/// Tests whether `a` and `b`, independent and approximately normal, have the same mean; variances and lengths may
/// differ.
///
/// The statistic is t, positive if `a` is larger.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two values in either sample or values that are not finite;
/// [`Error::Degenerate`] if neither sample varies and their means differ. For two equal constants the result is
/// `p_value` 1.
pub fn welch(a: &[f64], b: &[f64], alternative: Alternative) -> Result<TestResult> {
    let Some(contrast) = Contrast::of(TEST, a, b)? else {
        return Ok(TestResult::no_effect("student t", "both samples are the same constant"));
    };
    let t = finite_result(TEST, contrast.difference / contrast.standard_error)?;
    let p_value = student::p_value(t, contrast.df, alternative);
    Ok(TestResult::new(TEST, "student t", t, p_value)?.df(contrast.df))
}

/// The two-sided confidence interval at `level` for `mean(a) - mean(b)`.
///
/// # Errors
///
/// As [`welch`], and [`Error::Statistics`] for a level outside `(0, 1)`.
pub fn welch_interval(a: &[f64], b: &[f64], level: f64) -> Result<Interval> {
    check_level(TEST, level)?;
    let Some(contrast) = Contrast::of(TEST, a, b)? else {
        return Interval::new(0.0, 0.0, level, "student t");
    };
    let half = student::critical(level, contrast.df) * contrast.standard_error;
    Interval::new(contrast.difference - half, contrast.difference + half, level, "student t")
}

/// The difference of two means with its standard error.
pub(crate) struct Contrast {
    pub(crate) difference: f64,
    pub(crate) standard_error: f64,
    /// Welch-Satterthwaite degrees of freedom.
    pub(crate) df: f64,
}

impl Contrast {
    /// `None` if both samples are the same constant.
    pub(crate) fn of(test: &'static str, a: &[f64], b: &[f64]) -> Result<Option<Self>> {
        check(test, "a", a, 2)?;
        check(test, "b", b, 2)?;
        let scale = largest(a).max(largest(b));
        let (a, b) = (moments(a), moments(b));
        let difference = finite_result(test, a.mean - b.mean)?;
        if !a.is_constant(scale) || !b.is_constant(scale) {
            let contrast = Self::spread(difference, a, b);
            finite_result(test, contrast.standard_error)?;
            finite_result(test, contrast.df)?;
            return Ok(Some(contrast));
        }
        if difference.abs() <= 8.0 * f64::EPSILON * scale {
            return Ok(None);
        }
        Err(Error::Degenerate {
            test,
            problem: format!("neither sample varies: all values are {} and {}", a.mean, b.mean),
            fix: "measure on inputs that differ, or use `permutation`, which needs no variance".into(),
        })
    }

    fn spread(difference: f64, a: Moments, b: Moments) -> Self {
        let standard_error = a.standard_error().hypot(b.standard_error());
        let share = (a.standard_error() / standard_error).powi(2);
        let df = 1.0 / (share.powi(2) / (a.n - 1.0) + (1.0 - share).powi(2) / (b.n - 1.0));
        Self { difference, standard_error, df }
    }
}

/// The interval of the difference of means.
pub(super) fn interval_of(a: &[f64], b: &[f64], terms: &Terms) -> Result<Option<Interval>> {
    let Some(tail) = terms.tail() else { return Ok(None) };
    let Some(contrast) = Contrast::of(TEST, a, b)? else { return terms.interval(0.0, 0.0, "student t") };
    let half = student::critical_at(tail, contrast.df) * contrast.standard_error;
    terms.interval(contrast.difference - half, contrast.difference + half, "student t")
}

/// See [`welch`].
pub(super) struct Welch;

impl Statistic for Welch {
    fn assumes(&self) -> &'static str {
        "independent values; means approximately normal"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        welch(a, b, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        interval_of(a, b, terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::PLAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, assert_reference, normals, reference_samples,
    };

    #[test]
    fn scipy_gives_the_same_numbers() {
        assert_reference("welch", 1e-10, |a, b, alternative| welch(a, b, alternative).unwrap());
        let (a, b) = reference_samples("welch");
        let expected = crate::hypothesis::ground::testing::reference("welch_interval_95");
        let found = welch_interval(&a, &b, 0.95).unwrap();
        assert_close(found.low, expected[0].as_f64().unwrap(), 1e-10);
        assert_close(found.high, expected[1].as_f64().unwrap(), 1e-10);
    }

    #[test]
    fn a_hand_computed_case() {
        // Means 2 and 5, variances 1 and 1, three values each: t = -3 / sqrt(2/3), df = 4.
        let found = welch(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], Alternative::Less).unwrap();
        assert_close(found.statistic, -3.0 / (2.0f64 / 3.0).sqrt(), 1e-14);
        assert_close(found.df.unwrap(), 4.0, 1e-12);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| welch(&normals(rng, 12), &normals(rng, 20), Alternative::TwoSided).unwrap());
        assert_power(0.95, |rng, _| {
            let a: Vec<f64> = normals(rng, 30).iter().map(|x| x + 1.0).collect();
            welch(&a, &normals(rng, 30), Alternative::Greater).unwrap()
        });
    }

    #[test]
    fn samples_without_spread_get_an_answer_or_an_error_by_name() {
        assert_eq!(welch(&[0.1; 5], &[0.1; 7], Alternative::TwoSided).unwrap().p_value, 1.0);
        assert_eq!(
            welch(&[1.0; 3], &[2.0; 3], Alternative::TwoSided).unwrap_err().to_string(),
            "`welch` is degenerate: neither sample varies: all values are 1 and 2; measure on inputs that differ, or use \
             `permutation`, which needs no variance"
        );
        assert_eq!(
            welch(&[1.0], &[], Alternative::Less).unwrap_err().to_string(),
            "`welch`: `a` has 1 values; give at least 2"
        );
    }
}
