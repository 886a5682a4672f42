//! The bootstrap test of a mean: is the mean of a sample some given number, whatever its distribution?
//!
//! Source: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 16.4. The sample is shifted to the
//! null, and t is compared with the t of samples drawn from it. The p-value is (b + 1) / (B + 1) as in Phipson & Smyth,
//! "Permutation p-values should never be zero" (2010).

use crate::error::{Error, Result};
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::bootstrap_t::BootstrapT;
use crate::hypothesis::ground::guard::{check, check_draws, check_number, largest, mean, shifted};
use crate::hypothesis::ground::units::{self, Unit};
use crate::hypothesis::ground::{Alternative, Interval, TestResult};
use crate::hypothesis::shape::{Doubt, Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "bootstrap";

/// Tests whether the mean of independent `values` is `null`, with `draws` samples drawn from the values shifted to it.
///
/// The statistic is t, the mean difference in standard errors; two-sided compares its magnitude. It assumes nothing
/// about the distribution. With fewer than about ten values, [`sign_flip`](super::functions::sign_flip) and
/// [`one_sample_t`](super::functions::one_sample_t) control the error rate better.
///
/// # Errors
///
/// [`Error::Statistics`] for fewer than two values, values that are not finite, or 0 draws; [`Error::Degenerate`] if
/// the values do not vary and differ from `null`. If all values equal `null`, the result is `p_value` 1.
pub fn bootstrap_test(
    values: &[f64],
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
    let found = of_units(TEST, &units::blocks(&differences, draws), &differences, scale, alternative, draws, seed)?;
    Ok(units::note(values.len(), draws).into_iter().fold(found, TestResult::note))
}

/// Tests a mean of `differences` of zero, drawing whole `units`. `scale` is the magnitude of the numbers that were
/// subtracted: their rounding error is not spread.
pub(super) fn of_units(
    test: &'static str,
    units: &[Unit],
    differences: &[f64],
    scale: f64,
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    let floor = 1.0 / (draws as f64 + 1.0);
    let rounding = 8.0 * f64::EPSILON * scale;
    let Some(drawn) = BootstrapT::of_mean(units, rounding, draws, seed) else {
        let centre = mean(differences);
        if centre.abs() <= rounding {
            return Ok(TestResult::no_effect("monte carlo", "every difference is zero").smallest_p(floor));
        }
        return Err(no_spread(test, centre));
    };
    let (t, p_value) = (drawn.t(0.0), drawn.p_value(0.0, alternative));
    Ok(TestResult::new(test, "monte carlo", t, p_value)?.smallest_p(floor))
}

/// The error for differences that are all `centre`.
pub(super) fn no_spread(test: &'static str, centre: f64) -> Error {
    Error::Degenerate {
        test,
        problem: format!("every difference is {centre}, so there is no spread to measure it against"),
        fix: "measure on inputs that differ, or use `sign_flip`, which needs no variance".into(),
    }
}

/// The interval of the mean over `units`.
pub(super) fn interval_of(units: &[Unit], scale: f64, terms: &Terms) -> Result<Option<Interval>> {
    let rounding = 8.0 * f64::EPSILON * scale;
    let Some(drawn) = BootstrapT::of_mean(units, rounding, terms.resamples(), terms.seed) else { return Ok(None) };
    terms.dual(drawn.estimate, drawn.error, "bootstrap t", |shift, alternative| drawn.p_value(shift, alternative))
}

/// See [`bootstrap_test`].
pub(super) struct Bootstrap;

impl Statistic for Bootstrap {
    fn assumes(&self) -> &'static str {
        "independent values, enough of them to represent their distribution"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        bootstrap_test(&data.differences()?, 0.0, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        interval_of(&units::blocks(&differences, terms.resamples()), largest(&differences), terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::GUARDED)
    }
}

/// What to say about a test of a mean; see [`Shape::doubt`].
pub(super) fn of_mean(shape: &Shape, terms: &Terms, limits: Limits) -> Option<String> {
    let safer = match (shape.grouped, shape.two) {
        (true, true) => "groups in each sample",
        (true, false) => "groups",
        (false, true) => "in each sample, or compare which tends to be larger (`test = MannWhitney`)",
        (false, false) => "of them, or claim the median (`estimand = Median`), which needs no shape",
    };
    Some(match shape.doubt(terms, limits)? {
        Doubt::Few { least } => format!(
            "they are too few to rule out skew, which makes more than alpha of such claims false: measure at least {least} \
             {safer}"
        ),
        Doubt::Skewed { least } => format!(
            "they look too skewed for their number, which makes more than alpha of such claims false: measure at least \
             {least} {safer}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use crate::hypothesis::ground::testing::{
        assert_close, assert_null_rate, assert_power, normals, numbers, reference,
    };

    use super::*;

    #[test]
    fn the_p_value_approaches_that_of_all_possible_samples() {
        let expected = reference("bootstrap_test");
        let values = numbers(&expected["values"]);
        for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
            let found = bootstrap_test(&values, expected["null"].as_f64().unwrap(), alternative, 40_000, 0).unwrap();
            // Three standard errors of 40 000 draws.
            assert_close(found.p_value, expected[alternative.to_string()].as_f64().unwrap(), 0.0075);
            assert_close(found.statistic, expected["statistic"].as_f64().unwrap(), 1e-10);
        }
    }

    #[test]
    fn the_mouse_data_of_the_book() {
        // Efron & Tibshirani, section 16.4: t = -1.67, and about one sample in ten is at least as small.
        let treated = [94.0, 197.0, 16.0, 38.0, 99.0, 141.0, 23.0];
        let found = bootstrap_test(&treated, 129.0, Alternative::Less, 9999, 1).unwrap();
        assert_close(found.statistic, -1.67, 0.005);
        assert_close(found.p_value, 0.10, 0.02);
    }

    #[test]
    fn a_hand_computed_case() {
        // Of the four samples of two values, shifted to -1 and 1, two have no spread: t is -inf and inf; two have t =
        // 0. The observed t is 3, so one in four is as large, and two in four are as far from 0.
        let p = |alternative| bootstrap_test(&[2.0, 4.0], 0.0, alternative, 9999, 0).unwrap().p_value;
        assert_close(p(Alternative::Greater), 0.25, 0.02);
        assert_close(p(Alternative::TwoSided), 0.5, 0.02);
        assert_close(p(Alternative::Less), 1.0 - 0.25, 0.02);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, seed| bootstrap_test(&normals(rng, 20), 0.0, Alternative::TwoSided, 199, seed).unwrap());
        assert_power(0.95, |rng, seed| {
            bootstrap_test(&normals(rng, 30), -1.0, Alternative::Greater, 199, seed).unwrap()
        });
    }

    #[test]
    fn values_without_spread_get_an_answer_or_an_error_by_name() {
        assert_eq!(bootstrap_test(&[0.3; 9], 0.3, Alternative::TwoSided, 99, 0).unwrap().p_value, 1.0);
        assert_eq!(
            bootstrap_test(&[2.0, 2.0], 0.5, Alternative::Less, 99, 0).unwrap_err().to_string(),
            "`bootstrap` is degenerate: every difference is 1.5, so there is no spread to measure it against; measure on \
             inputs that differ, or use `sign_flip`, which needs no variance"
        );
        assert!(bootstrap_test(&[1.0, 2.0], 0.0, Alternative::Less, 0, 0).is_err());
    }
}
