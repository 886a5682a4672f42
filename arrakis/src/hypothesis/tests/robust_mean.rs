//! The guarded test of a mean: Student's t and the bootstrap-t, whichever is less sure.
//!
//! Source: "Student", "The probable error of a mean" (1908); Efron & Tibshirani, "An Introduction to the Bootstrap"
//! (1993), section 16.4. Student's t makes too many false claims if the values are skewed, the bootstrap-t if they have
//! long tails. The larger of two p-values is valid if either is.

use super::bootstrap::{no_spread, of_mean};
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::bootstrap_t::BootstrapT;
use crate::hypothesis::ground::guard::{check, check_draws, check_number, largest, mean, moments, shifted};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "robust_mean";

/// Tests whether the mean of independent `values` is `null`.
///
/// The statistic is t, the mean difference in standard errors; the p-value is the larger of those of
/// [`one_sample_t`](super::functions::one_sample_t) and of [`bootstrap_test`](super::functions::bootstrap_test) with
/// `draws` draws.
///
/// # Errors
///
/// As [`bootstrap_test`](super::functions::bootstrap_test).
pub fn robust_mean(values: &[f64], null: f64, alternative: Alternative, draws: usize, seed: u64) -> Result<TestResult> {
    check(TEST, "values", values, 2)?;
    check_number(TEST, "null", null)?;
    check_draws(TEST, draws)?;
    let (scale, differences) = (largest(values).max(null.abs()), shifted(TEST, values, null)?);
    Robust::of(TEST, &differences, scale, draws, seed)?.map_or_else(
        || Ok(TestResult::no_effect("student t and bootstrap t", "every difference is zero")),
        |found| found.result(TEST, alternative),
    )
}

/// Both tests of a mean, at every shift.
pub(super) struct Robust {
    bootstrap: BootstrapT,
    mean: f64,
    error: f64,
    df: f64,
    note: Option<String>,
}

impl Robust {
    /// `None` if all `differences` are zero.
    pub(super) fn of(
        test: &'static str,
        differences: &[f64],
        scale: f64,
        draws: usize,
        seed: u64,
    ) -> Result<Option<Self>> {
        let rounding = 8.0 * f64::EPSILON * scale;
        let units = units::blocks(differences, draws);
        let Some(bootstrap) = BootstrapT::of_mean(&units, rounding, draws, seed) else {
            let centre = mean(differences);
            return if centre.abs() <= rounding { Ok(None) } else { Err(no_spread(test, centre)) };
        };
        let found = moments(differences);
        let note = units::note(differences.len(), draws);
        Ok(Some(Self { bootstrap, mean: found.mean, error: found.standard_error(), df: found.n - 1.0, note }))
    }

    fn t(&self, shift: f64) -> f64 {
        (self.mean - shift) / self.error
    }

    fn p_values(&self, shift: f64, alternative: Alternative) -> [f64; 2] {
        let student = student::p_value(self.t(shift), self.df, alternative);
        [student, self.bootstrap.p_value(shift, alternative)]
    }

    pub(super) fn p_value(&self, shift: f64, alternative: Alternative) -> f64 {
        let [student, bootstrap] = self.p_values(shift, alternative);
        student.max(bootstrap)
    }

    pub(super) fn result(self, test: &'static str, alternative: Alternative) -> Result<TestResult> {
        let [student, bootstrap] = self.p_values(0.0, alternative);
        let found = TestResult::new(test, "student t and bootstrap t", self.t(0.0), student.max(bootstrap))?;
        let found = found.df(self.df).note(if student >= bootstrap {
            format!("Student's t decides; the bootstrap-t has p = {}", crate::fmt::short(bootstrap))
        } else {
            format!("the bootstrap-t decides; Student's t has p = {}", crate::fmt::short(student))
        });
        Ok(self.note.into_iter().fold(found, TestResult::note))
    }

    pub(super) fn interval(&self, terms: &Terms) -> Result<Option<Interval>> {
        let p_value = |shift, alternative| self.p_value(shift, alternative);
        terms.dual(self.mean, self.error, "student t and bootstrap t", p_value)
    }
}

/// See [`robust_mean`].
pub(super) struct RobustMean;

impl Statistic for RobustMean {
    fn assumes(&self) -> &'static str {
        "independent values whose mean is not decided by rare large ones"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_differences()
    }

    fn suits(&self, shape: &Shape) -> bool {
        !shape.constant
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        robust_mean(&data.differences()?, 0.0, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let differences = data.differences()?;
        let found = Robust::of(TEST, &differences, largest(&differences), terms.resamples(), terms.seed)?;
        found.map_or(Ok(None), |found| found.interval(terms))
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, Limits::GUARDED)
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::{bootstrap_test, one_sample_t};
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_power, normals, seeded};

    #[test]
    fn it_is_the_larger_of_the_two_p_values() {
        for seed in 0..20 {
            let values: Vec<f64> = normals(&mut seeded(seed), 14).iter().map(|x| x.exp()).collect();
            for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
                let student = one_sample_t(&values, 1.5, alternative).unwrap();
                let bootstrap = bootstrap_test(&values, 1.5, alternative, 499, 3).unwrap();
                let found = robust_mean(&values, 1.5, alternative, 499, 3).unwrap();
                assert_close(found.p_value, student.p_value.max(bootstrap.p_value), 1e-12);
                assert_close(found.statistic, student.statistic, 1e-10);
            }
        }
    }

    #[test]
    fn it_errs_at_most_one_time_in_twenty_where_student_does_not() {
        // Exponential values have mean 1; "less" is the side on which Student's t errs 10% of the time.
        let (rng, mut student, mut robust) = (&mut seeded(8), 0, 0);
        for seed in 0..1500 {
            let values: Vec<f64> =
                normals(rng, 60).chunks(2).map(|pair| f64::midpoint(pair[0].powi(2), pair[1].powi(2))).collect();
            student += usize::from(one_sample_t(&values, 1.0, Alternative::Less).unwrap().p_value <= 0.05);
            robust += usize::from(robust_mean(&values, 1.0, Alternative::Less, 199, seed).unwrap().p_value <= 0.05);
        }
        assert!(student > 110 && robust < 110 && robust > 40, "{student} {robust}");
        assert_power(0.95, |rng, seed| robust_mean(&normals(rng, 30), -1.0, Alternative::Greater, 199, seed).unwrap());
    }

    #[test]
    fn a_hand_computed_case() {
        // The bootstrap of two values gives 1/4 and Student's t with one degree of freedom 1/2 - atan(3)/pi = 0.10.
        let found = robust_mean(&[2.0, 4.0], 0.0, Alternative::Greater, 9999, 0).unwrap();
        assert_close(found.p_value, 0.25, 0.02);
        assert!(found.notes[0].starts_with("the bootstrap-t decides; Student's t has p = 0.102"), "{:?}", found.notes);
    }

    #[test]
    fn values_without_spread_get_an_answer_or_an_error_by_name() {
        assert_eq!(robust_mean(&[0.3; 9], 0.3, Alternative::TwoSided, 99, 0).unwrap().p_value, 1.0);
        assert_eq!(
            robust_mean(&[2.0, 2.0], 0.5, Alternative::Less, 99, 0).unwrap_err().to_string(),
            "`robust_mean` is degenerate: every difference is 1.5, so there is no spread to measure it against; measure on \
             inputs that differ, or use `sign_flip`, which needs no variance"
        );
    }
}
