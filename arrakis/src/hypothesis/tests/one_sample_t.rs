//! Student's one-sample t: is the mean of a sample some given number?
//!
//! Source: "Student", "The probable error of a mean" (Biometrika, 1908).

use super::bootstrap::of_mean;
use crate::error::{Error, Result};
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::guard::{check, check_level, check_number, finite_result, largest, moments, shifted};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "one_sample_t";

/// Tests whether the mean of `values`, approximately normal, is `null`.
///
/// The statistic is t, positive if the mean is above `null`.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two values or values that are not finite; [`Error::Degenerate`] if the values
/// do not vary and differ from `null`. If all values equal `null`, the result is `p_value` 1.
pub fn one_sample_t(values: &[f64], null: f64, alternative: Alternative) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    let scale = largest(values).max(null.abs());
    of_differences(TEST, &shifted(TEST, values, null)?, scale, alternative)
}

/// The two-sided confidence interval at `level` for the mean of `values`.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two values, values that are not finite, or a level outside `(0, 1)`.
pub fn one_sample_t_interval(values: &[f64], level: f64) -> Result<Interval> {
    check(TEST, "values", values, 2)?;
    check_level(TEST, level)?;
    let found = moments(values);
    let half = student::critical(level, found.n - 1.0) * found.standard_error();
    Interval::new(found.mean - half, found.mean + half, level, "student t")
}

/// The test against 0. `scale` is the magnitude of the numbers that were subtracted: their rounding error is not
/// spread.
pub(crate) fn of_differences(
    test: &'static str,
    differences: &[f64],
    scale: f64,
    alternative: Alternative,
) -> Result<TestResult> {
    let found = moments(differences);
    if !found.is_constant(scale) {
        let (t, df) = (finite_result(test, found.mean / found.standard_error())?, found.n - 1.0);
        return Ok(TestResult::new(test, "student t", t, student::p_value(t, df, alternative))?.df(df));
    }
    if found.mean.abs() <= 8.0 * f64::EPSILON * scale {
        return Ok(TestResult::no_effect("student t", "every difference is zero"));
    }
    Err(Error::Degenerate {
        test,
        problem: format!("every difference is {}, so there is no spread to measure it against", found.mean),
        fix: "measure on inputs that differ, or use `sign_flip`, which needs no variance".into(),
    })
}

/// The interval of the mean of `differences`.
pub(super) fn interval_of(test: &'static str, differences: &[f64], terms: &Terms) -> Result<Option<Interval>> {
    check(test, "differences", differences, 2)?;
    let (found, Some(tail)) = (moments(differences), terms.tail()) else { return Ok(None) };
    let half = student::critical_at(tail, found.n - 1.0) * found.standard_error();
    terms.interval(found.mean - half, found.mean + half, "student t")
}

/// See [`one_sample_t`].
pub(super) struct OneSampleT;

impl Statistic for OneSampleT {
    fn assumes(&self) -> &'static str {
        "independent values, approximately normal"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Number { .. })
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (values, null) = data.number();
        one_sample_t(values, null, terms.alternative)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        interval_of(TEST, &data.differences()?, terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::PLAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, assert_reference, normals, reference,
    };

    #[test]
    fn scipy_gives_the_same_numbers() {
        assert_reference("one_sample_t", 1e-10, |a, b, alternative| one_sample_t(a, b[0], alternative).unwrap());
        let values: Vec<f64> = serde_json::from_value(reference("one_sample_t")["a"].clone()).unwrap();
        let (found, expected) = (one_sample_t_interval(&values, 0.9).unwrap(), reference("one_sample_t_interval_90"));
        assert_close(found.low, expected[0].as_f64().unwrap(), 1e-10);
        assert_close(found.high, expected[1].as_f64().unwrap(), 1e-10);
    }

    #[test]
    fn a_hand_computed_case() {
        // Mean 2, standard deviation 1, three values: t = 2 sqrt(3).
        let found = one_sample_t(&[1.0, 2.0, 3.0], 0.0, Alternative::Greater).unwrap();
        assert_close(found.statistic, 2.0 * 3f64.sqrt(), 1e-14);
        assert_eq!(found.df, Some(2.0));
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| one_sample_t(&normals(rng, 10), 0.0, Alternative::Greater).unwrap());
        assert_power(0.95, |rng, _| one_sample_t(&normals(rng, 30), -1.0, Alternative::TwoSided).unwrap());
    }

    #[test]
    fn values_without_spread_get_an_answer_or_an_error_by_name() {
        let none = one_sample_t(&[0.3; 9], 0.3, Alternative::TwoSided).unwrap();
        assert_eq!((none.p_value, none.notes.len()), (1.0, 1));
        assert_eq!(
            one_sample_t(&[2.0, 2.0], 0.5, Alternative::TwoSided).unwrap_err().to_string(),
            "`one_sample_t` is degenerate: every difference is 1.5, so there is no spread to measure it against; measure on \
             inputs that differ, or use `sign_flip`, which needs no variance"
        );
        assert!(one_sample_t(&[], 0.0, Alternative::TwoSided).is_err());
        assert!(one_sample_t(&[1.0, 2.0], f64::INFINITY, Alternative::TwoSided).is_err());
        assert!(one_sample_t(&[f64::MAX, -f64::MAX], -f64::MAX, Alternative::TwoSided).is_err());
    }
}
