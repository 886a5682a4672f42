//! Checks of the input, and moments that neither overflow nor underflow.

use crate::error::{Error, Result};

/// A standard deviation below this many times the largest value is rounding error.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Builds the error for a sample that `test` cannot use.
pub(crate) fn refuse(test: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::Statistics { test, problem: problem.into(), fix: fix.into() }
}

/// Checks that `values` has at least `at_least` entries and that all of them are finite.
pub(crate) fn check(test: &'static str, name: &str, values: &[f64], at_least: usize) -> Result<()> {
    if values.len() < at_least {
        let problem = format!("`{name}` has {} values", values.len());
        return Err(refuse(test, problem, format!("give at least {at_least}")));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(not_finite(test, &format!("{name}[{index}]"), values[index])),
        None => Ok(()),
    }
}

/// Checks one number.
pub(crate) fn check_number(test: &'static str, name: &str, value: f64) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(not_finite(test, name, value)) }
}

fn not_finite(test: &'static str, name: &str, value: f64) -> Error {
    refuse(test, format!("`{name}` is {value}"), "measure finite values, or leave this one out and say so")
}

/// Checks that a result is a finite number, because arithmetic on values near the limits of `f64` overflows.
pub(crate) fn finite_result(test: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(refuse(test, "the values are too large, or too close, for `f64` arithmetic", "rescale the metric"))
    }
}

/// Checks that a resampling test has draws.
pub(crate) fn check_draws(test: &'static str, draws: usize) -> Result<()> {
    if draws == 0 { Err(refuse(test, "0 draws were asked for", "use `draws = 999` or more")) } else { Ok(()) }
}

/// Checks a confidence level.
pub(crate) fn check_level(test: &'static str, level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(refuse(test, format!("the level is {level}"), "use a level between 0 and 1, such as 0.95"))
}

/// The differences `a[i] - b[i]` of paired samples.
///
/// # Errors
///
/// [`Error::Statistics`] for samples of different lengths, empty ones, and values that are not finite.
pub fn paired_differences(a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    differences("paired differences", a, b)
}

pub(crate) fn differences(test: &'static str, a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    check(test, "a", a, 1)?;
    check(test, "b", b, 1)?;
    if a.len() != b.len() {
        let problem = format!("pairs need equal lengths, got {} and {}", a.len(), b.len());
        return Err(refuse(test, problem, "pair the samples, or use an unpaired test such as `permutation`"));
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    differences.iter().try_for_each(|&difference| finite_result(test, difference).map(drop))?;
    Ok(differences)
}

/// `values - null`, checked for overflow.
pub(crate) fn shifted(test: &'static str, values: &[f64], null: f64) -> Result<Vec<f64>> {
    values.iter().map(|value| finite_result(test, value - null)).collect()
}

/// The mean of `values`; 0 for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    moments(values).mean
}

/// The sample standard deviation of `values` (dividing by n - 1), in their units; `None` for fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| moments(values).sd)
}

/// Mean and sample standard deviation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub(crate) n: f64,
    pub(crate) mean: f64,
    pub(crate) sd: f64,
}

impl Moments {
    /// Standard error of the mean.
    pub(crate) fn standard_error(self) -> f64 {
        self.sd / self.n.sqrt()
    }

    /// Whether the spread is within the rounding error of numbers as large as `scale`.
    pub(crate) fn is_constant(self, scale: f64) -> bool {
        self.sd <= ROUNDING * scale
    }
}

/// The moments of finite `values`, computed after dividing by a power of two so that squares stay in range.
pub(crate) fn moments(values: &[f64]) -> Moments {
    let n = values.len() as f64;
    let first = values.first().copied().unwrap_or(0.0);
    if values.iter().all(|&value| value == first) {
        return Moments { n, mean: first, sd: 0.0 };
    }
    let scale = power_of_two(largest(values));
    let mean = values.iter().map(|value| value / scale).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value / scale - mean).powi(2)).sum();
    Moments { n, mean: mean * scale, sd: (squares / (n - 1.0)).sqrt() * scale }
}

/// The largest magnitude in `values`.
pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// The largest power of two not above `magnitude`: dividing by it is exact.
pub(crate) fn power_of_two(magnitude: f64) -> f64 {
    if magnitude == 0.0 { 1.0 } else { 2f64.powi(magnitude.log2().floor().clamp(-1000.0, 1000.0) as i32) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn moments_of_one_to_four_match_the_textbook() {
        let found = moments(&[1.0, 2.0, 3.0, 4.0]);
        assert_close(found.mean, 2.5, 1e-15);
        assert_close(found.sd, (5.0f64 / 3.0).sqrt(), 1e-15);
        assert_eq!(standard_deviation(&[1.0]), None);
    }

    #[test]
    fn moments_survive_the_ends_of_the_range() {
        for scale in [1e-300, 1e300] {
            let found = moments(&[scale, 2.0 * scale, 3.0 * scale]);
            assert_close(found.mean / scale, 2.0, 1e-12);
            assert_close(found.sd / scale, 1.0, 1e-12);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        let error = check("welch", "a", &[1.0, f64::NAN], 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`welch`: `a[1]` is NaN; measure finite values, or leave this one out and say so"
        );
    }
}
