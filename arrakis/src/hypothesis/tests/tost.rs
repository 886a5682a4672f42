//! Two one-sided tests: is a mean close enough to a number to call it the same?
//!
//! Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach" (1987).

use serde::Serialize;

use super::bootstrap::of_mean;
use super::one_sample_t::{self, one_sample_t};
use super::sign_test::sign_test;
use super::welch::{self, Contrast};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Need, Terms};
use crate::hypothesis::ground::guard::{check, check_number, finite_result, largest, moments, refuse};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "tost";

/// Both one-sided tests of equivalence; equivalence is claimed if both reject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Equivalence {
    /// Against a mean at or below the lower bound.
    pub above_low: TestResult,
    /// Against a mean at or above the upper bound.
    pub below_high: TestResult,
}

impl Equivalence {
    /// The p-value of equivalence: the larger of the two.
    pub fn p_value(&self) -> f64 {
        self.above_low.p_value.max(self.below_high.p_value)
    }

    /// The test that decides: the one for the nearer bound.
    fn deciding(self) -> TestResult {
        let low = self.above_low.p_value >= self.below_high.p_value;
        let (found, bound) = if low { (self.above_low, "lower") } else { (self.below_high, "upper") };
        found.note(format!("the {bound} bound decides"))
    }
}

/// Tests whether the mean of `values`, approximately normal, lies strictly between `low` and `high`.
///
/// For paired samples, test their [differences](crate::hypothesis::stats::paired_differences).
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for bounds out of order, fewer than two values, or values
/// that are not finite. Values that do not vary leave Student's t nothing to measure with: each bound is judged by the sign
/// test.
pub fn tost(values: &[f64], low: f64, high: f64) -> Result<Equivalence> {
    check_bounds(low, high)?;
    check(TEST, "values", values, 2)?;
    if is_constant(values, low, high) {
        let side = |bound: f64, alternative: Alternative| -> Result<TestResult> {
            Ok(sign_test(values, bound, alternative)?
                .note("the values do not vary, so the sign test judges each bound"))
        };
        return Ok(Equivalence {
            above_low: side(low, Alternative::Greater)?,
            below_high: side(high, Alternative::Less)?,
        });
    }
    Ok(Equivalence {
        above_low: one_sample_t(values, low, Alternative::Greater)?,
        below_high: one_sample_t(values, high, Alternative::Less)?,
    })
}

/// Tests whether `mean(a) - mean(b)` lies strictly between `low` and `high`, by Welch's t; the samples are independent.
///
/// # Errors
///
/// As [`tost`]. Two equal constants are not an error: they are equivalent within bounds around zero.
pub fn tost_two_sample(a: &[f64], b: &[f64], low: f64, high: f64) -> Result<Equivalence> {
    check_bounds(low, high)?;
    let Some(contrast) = Contrast::of(TEST, a, b)? else {
        return Ok(of_constants(low, high));
    };
    let one_sided = |bound: f64, alternative: Alternative| -> Result<TestResult> {
        let t = finite_result(TEST, (contrast.difference - bound) / contrast.standard_error)?;
        Ok(TestResult::new(TEST, "student t", t, student::p_value(t, contrast.df, alternative))?.df(contrast.df))
    };
    Ok(Equivalence {
        above_low: one_sided(low, Alternative::Greater)?,
        below_high: one_sided(high, Alternative::Less)?,
    })
}

/// Two samples that are the same constant differ by exactly zero.
fn of_constants(low: f64, high: f64) -> Equivalence {
    let side = |inside: bool| {
        let mut found = TestResult::no_effect("student t", "both samples are the same constant");
        found.p_value = if inside { f64::MIN_POSITIVE } else { 1.0 };
        found
    };
    Equivalence { above_low: side(low < 0.0), below_high: side(high > 0.0) }
}

/// Whether the values differ by no more than they were rounded.
fn is_constant(values: &[f64], low: f64, high: f64) -> bool {
    moments(values).is_constant(largest(values).max(low.abs()).max(high.abs()))
}

fn check_bounds(low: f64, high: f64) -> Result<()> {
    check_number(TEST, "low", low)?;
    check_number(TEST, "high", high)?;
    if low < high {
        return Ok(());
    }
    Err(refuse(TEST, format!("the bounds are {low} and {high}"), "give the smaller first, such as -0.1 and 0.1"))
}

/// See [`tost`] and [`tost_two_sample`]. The bounds lie at the claim's margin on either side of the null.
pub(super) struct Tost;

impl Statistic for Tost {
    fn assumes(&self) -> &'static str {
        "independent values; means approximately normal; a margin chosen before the measurement"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences() || design.is_of_independent_samples()
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Margin]
    }

    fn has_direction(&self) -> bool {
        false
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let margin = terms.margin();
        if let Data::Samples { observed, null, paired: false } = data {
            return Ok(tost_two_sample(observed, null, -margin, margin)?.deciding());
        }
        Ok(tost(&data.differences()?, -margin, margin)?.deciding())
    }

    /// At level 1 - 2 α: equivalence is claimed if it lies within the margin.
    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let one_sided = Terms { alternative: Alternative::Greater, ..*terms };
        if let Data::Samples { observed, null, paired: false } = data {
            return welch::interval_of(observed, null, &one_sided);
        }
        let differences = data.differences()?;
        // No width is not the dual of a sign test.
        if is_constant(&differences, -terms.margin(), terms.margin()) {
            Ok(None)
        } else {
            one_sample_t::interval_of(TEST, &differences, &one_sided)
        }
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, &Terms { alternative: Alternative::Greater, ..*terms }, Limits::PLAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_power, normals, numbers, reference, seeded};
    use crate::hypothesis::{Claim, Null, Sample, Test};

    #[test]
    fn scipy_gives_the_same_numbers() {
        let expected = reference("tost");
        let (a, b) = (numbers(&expected["a"]), numbers(&expected["b"]));
        let number = |key: &str| expected[key].as_f64().unwrap();
        assert_close(tost(&a, number("low"), number("high")).unwrap().p_value(), number("one_sample"), 1e-10);
        assert_close(
            tost_two_sample(&a, &b, number("low"), number("high")).unwrap().p_value(),
            number("two_sample"),
            1e-10,
        );
    }

    #[test]
    fn on_the_bound_it_errs_at_most_one_time_in_twenty() {
        let rng = &mut seeded(0);
        let errors = (0..1000).filter(|_| {
            let values: Vec<f64> = normals(rng, 40).iter().map(|x| x + 1.0).collect();
            tost(&values, -1.0, 1.0).unwrap().p_value() <= 0.05
        });
        let rate = errors.count() as f64 / 1000.0;
        assert!((0.03..=0.07).contains(&rate), "{rate}");
        let rate = (0..1000).filter(|_| {
            let values: Vec<f64> = normals(rng, 40).iter().map(|x| x + 1.0).collect();
            tost_two_sample(&values, &normals(rng, 50), -1.0, 1.0).unwrap().p_value() <= 0.05
        });
        let rate = rate.count() as f64 / 1000.0;
        assert!((0.03..=0.07).contains(&rate), "{rate}");
    }

    #[test]
    fn it_finds_true_equivalence() {
        assert_power(0.95, |rng, _| {
            let found = tost(&normals(rng, 60), -0.6, 0.6).unwrap();
            if found.above_low.p_value > found.below_high.p_value { found.above_low } else { found.below_high }
        });
        assert!(tost_two_sample(&[1.0; 3], &[1.0; 4], -0.1, 0.1).unwrap().p_value() < 1e-9);
    }

    /// Eighteen signs of one kind have a chance of 2^-18.
    #[test]
    fn values_that_do_not_vary_are_judged_by_their_signs() {
        let found = tost(&[0.0; 18], -0.05, 0.05).unwrap();
        assert_close(found.p_value(), 0.5_f64.powi(18), 1e-15);
        assert!(found.above_low.notes[0].contains("the values do not vary"));
        assert_close(tost(&[0.0; 3], -0.05, 0.05).unwrap().p_value(), 0.125, 1e-15);
        assert_close(tost(&[0.05; 18], -0.05, 0.05).unwrap().p_value(), 1.0, 1e-15);
        let claim = Claim { statement: "the same".into(), test: Test::Tost, margin: Some(0.05), ..Claim::default() };
        let verdict = claim.judge(Sample::new(vec![0.3; 18]).unwrap(), Null::Value(0.3)).unwrap();
        assert!(verdict.holds && verdict.ci.is_none());
    }

    #[test]
    fn bounds_out_of_order_are_refused_by_name() {
        assert_eq!(
            tost(&[1.0, 2.0], 0.1, -0.1).unwrap_err().to_string(),
            "`tost`: the bounds are 0.1 and -0.1; give the smaller first, such as -0.1 and 0.1"
        );
    }
}
