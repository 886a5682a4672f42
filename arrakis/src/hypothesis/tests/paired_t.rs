//! The paired t: do two measurements of the same items have the same mean?
//!
//! Source: "Student", "The probable error of a mean" (Biometrika, 1908), on the differences.

use super::bootstrap::of_mean;
use super::one_sample_t::{interval_of, of_differences};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::Interval;
use crate::hypothesis::ground::guard::{differences, largest, refuse};
use crate::hypothesis::ground::{Alternative, TestResult};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "paired_t";

/// Tests whether the differences `a[i] - b[i]`, approximately normal, have mean zero.
///
/// The statistic is t, positive if `a` is larger.
///
/// # Errors
///
/// [`Error::Statistics`](crate::error::Error::Statistics) for fewer than two pairs, unequal lengths or values that are
/// not finite; [`Error::Degenerate`](crate::error::Error::Degenerate) if every difference is the same non-zero number.
pub fn paired_t(a: &[f64], b: &[f64], alternative: Alternative) -> Result<TestResult> {
    let differences = differences(TEST, a, b)?;
    if differences.len() < 2 {
        return Err(refuse(TEST, "there is one pair", "give at least 2"));
    }
    of_differences(TEST, &differences, largest(a).max(largest(b)), alternative)
}

/// See [`paired_t`].
pub(super) struct PairedT;

impl Statistic for PairedT {
    fn assumes(&self) -> &'static str {
        "independent pairs; differences approximately normal"
    }

    fn fits(&self, design: Design) -> bool {
        matches!(design, Design::Samples { .. }) && design.is_of_differences()
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        paired_t(a, b, terms.alternative)
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
    use crate::hypothesis::ground::testing::{assert_close, assert_null_rate, assert_power, assert_reference, normals};

    #[test]
    fn scipy_gives_the_same_numbers() {
        assert_reference("paired_t", 1e-10, |a, b, alternative| paired_t(a, b, alternative).unwrap());
    }

    #[test]
    fn a_hand_computed_case() {
        // Differences 1, 2, 3: t = 2 sqrt(3).
        let found = paired_t(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], Alternative::Greater).unwrap();
        assert_close(found.statistic, 2.0 * 3f64.sqrt(), 1e-14);
    }

    #[test]
    fn it_errs_one_time_in_twenty_and_finds_a_true_effect() {
        assert_null_rate(|rng, _| paired_t(&normals(rng, 9), &normals(rng, 9), Alternative::TwoSided).unwrap());
        assert_power(0.95, |rng, _| {
            let base: Vec<f64> = normals(rng, 25).iter().map(|x| 10.0 * x).collect();
            let moved: Vec<f64> = base.iter().zip(normals(rng, 25)).map(|(x, noise)| x + 1.0 + noise).collect();
            paired_t(&moved, &base, Alternative::Greater).unwrap()
        });
    }

    #[test]
    fn a_constant_shift_is_degenerate_despite_rounding() {
        let base = [1.0, 10.0, 100.0, 1000.0];
        let shifted = base.map(|x| x + 0.1);
        let error = paired_t(&shifted, &base, Alternative::TwoSided).unwrap_err().to_string();
        assert!(error.starts_with("`paired_t` is degenerate: every difference is 0.1"), "{error}");
        assert!(paired_t(&base, &base[..3], Alternative::Less).unwrap_err().to_string().contains("got 4 and 3"));
        assert_eq!(paired_t(&base, &base, Alternative::TwoSided).unwrap().p_value, 1.0);
    }
}
