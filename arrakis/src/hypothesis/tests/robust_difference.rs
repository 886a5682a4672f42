//! The guarded test of two means: Welch's t, the studentised permutation and the bootstrap-t, whichever is least sure.
//!
//! Source: Welch (1947); Janssen, "Studentized permutation tests for non-iid hypotheses and the generalized Behrens-Fisher
//! problem" (1997); Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 16.2. Welch's t holds its level
//! for normal samples of any spread, the permutation for samples of one distribution, the bootstrap-t for skewed samples of
//! different spread. The largest of three p-values is valid if one of them is.

use super::bootstrap::of_mean;
use super::permutation::least_labels;
use super::welch::Contrast;
use crate::error::Result;
use crate::hypothesis::data::{Data, Design, Terms};
use crate::hypothesis::ground::bootstrap_t::BootstrapT;
use crate::hypothesis::ground::crossing::Drawn;
use crate::hypothesis::ground::dual::{self, Near};
use crate::hypothesis::ground::guard::{check_draws, largest};
use crate::hypothesis::ground::labels::{Labels, Scale};
use crate::hypothesis::ground::{Alternative, Interval, TestResult, student, units};
use crate::hypothesis::shape::{Limits, Shape};
use crate::hypothesis::statistic::Statistic;

const TEST: &str = "robust_difference";

/// How its p-value is computed.
const METHOD: &str = "welch, permutation and bootstrap t";

/// Tests whether independent `a` and `b` have the same mean.
///
/// The statistic is Welch's t; the p-value is the largest of those of [`welch`](super::functions::welch), of
/// [`studentised_permutation`](super::functions::studentised_permutation) and of a bootstrap-t that draws from each sample,
/// with `draws` draws each.
///
/// # Errors
///
/// As [`welch`](super::functions::welch), and [`Error::Statistics`](crate::error::Error::Statistics) for 0 draws.
pub fn robust_difference(
    a: &[f64],
    b: &[f64],
    alternative: Alternative,
    draws: usize,
    seed: u64,
) -> Result<TestResult> {
    check_draws(TEST, draws)?;
    let Some(found) = Robust::of(a, b, draws, seed)? else {
        return Ok(TestResult::no_effect(METHOD, "both samples are the same constant"));
    };
    let p_values = found.p_values(0.0, alternative);
    let names = ["Welch's t", "the permutation", "the bootstrap-t"];
    let (name, p_value) =
        names.into_iter().zip(p_values).fold(("", 0.0), |most, each| if each.1 > most.1 { each } else { most });
    let t = found.contrast.difference / found.contrast.standard_error;
    let result = TestResult::new(TEST, METHOD, t, p_value)?.df(found.contrast.df).note(format!("{name} decides"));
    Ok(units::note(a.len() + b.len(), draws).into_iter().fold(result, TestResult::note))
}

/// The three tests, at every shift.
struct Robust {
    contrast: Contrast,
    labels: Labels,
    bootstrap: BootstrapT,
}

impl Robust {
    /// `None` if both samples are the same constant.
    fn of(a: &[f64], b: &[f64], draws: usize, seed: u64) -> Result<Option<Self>> {
        let Some(contrast) = Contrast::of(TEST, a, b)? else { return Ok(None) };
        let labels = Labels::of(a, b, Scale::Studentised, draws, seed);
        let rounding = 8.0 * f64::EPSILON * largest(a).max(largest(b));
        let (of_a, of_b) = (units::blocks(a, draws), units::blocks(b, draws));
        let bootstrap = BootstrapT::of_difference(&of_a, &of_b, rounding, draws, seed);
        Ok(bootstrap.map(|bootstrap| Self { contrast, labels, bootstrap }))
    }

    fn welch(&self, shift: f64, alternative: Alternative) -> f64 {
        let t = (self.contrast.difference - shift) / self.contrast.standard_error;
        student::p_value(t, self.contrast.df, alternative)
    }

    fn p_values(&self, shift: f64, alternative: Alternative) -> [f64; 3] {
        let relabelled = self.labels.p_at(shift, alternative);
        [self.welch(shift, alternative), relabelled, self.bootstrap.p_value(shift, alternative)]
    }

    /// The largest p-value but that of relabelling, which takes longest.
    fn p_quick(&self, shift: f64, alternative: Alternative) -> f64 {
        self.welch(shift, alternative).max(self.bootstrap.p_value(shift, alternative))
    }

    /// Where the ends of the interval probably are: at each side those of the test that is least sure.
    fn near(&self, terms: &Terms) -> Option<Near> {
        let (estimate, step) = (self.contrast.difference, self.contrast.standard_error);
        let [below, above] = terms.directions();
        let rejects = |shift, alternative| terms.rejects(self.p_quick(shift, alternative));
        let (low, high) =
            dual::ends(estimate, step, None, |shift| rejects(shift, below), |shift| rejects(shift, above))?;
        let (labels, width) = (terms.near(&self.labels, estimate, step)?, 1e-12 * step);
        let [of_low, of_high] = labels.brackets;
        let low = if low < of_low[0] { [low, low - width] } else { of_low };
        let high = if high > of_high[0] { [high, high + width] } else { of_high };
        Some(Near { brackets: [low, high], resolution: width.max(labels.resolution) })
    }

    /// The largest p-value, or one above α.
    fn p_value(&self, shift: f64, alternative: Alternative, terms: &Terms) -> f64 {
        let least_sure = self.p_quick(shift, alternative);
        if terms.rejects(least_sure) { least_sure.max(self.labels.p_at(shift, alternative)) } else { least_sure }
    }
}

/// The interval of the difference of means.
pub(super) fn interval_of(a: &[f64], b: &[f64], terms: &Terms) -> Result<Option<Interval>> {
    let Some(found) = Robust::of(a, b, terms.resamples(), terms.seed)? else { return Ok(None) };
    let p_value = |shift, alternative| found.p_value(shift, alternative, terms);
    let (estimate, step) = (found.contrast.difference, found.contrast.standard_error);
    terms.dual_near(estimate, step, found.near(terms), METHOD, p_value)
}

/// Samples of one spread and one shape are exchangeable.
pub(super) fn limits(shape: &Shape) -> Limits {
    if shape.spread < 1.5 { Limits::ALIKE } else { Limits::GUARDED }
}

/// See [`robust_difference`].
pub(super) struct RobustDifference;

impl Statistic for RobustDifference {
    fn assumes(&self) -> &'static str {
        "independent values whose means are not decided by rare large ones"
    }

    fn fits(&self, design: Design) -> bool {
        design.is_of_independent_samples()
    }

    fn suits(&self, shape: &Shape) -> bool {
        !shape.constant
    }

    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        Some(1)
    }

    fn least(&self, terms: &Terms) -> Option<usize> {
        Some(least_labels(terms))
    }

    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult> {
        let (a, b) = data.samples();
        robust_difference(a, b, terms.alternative, terms.resamples(), terms.seed)
    }

    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>> {
        let (a, b) = data.samples();
        interval_of(a, b, terms)
    }

    fn caution(&self, shape: &Shape, terms: &Terms) -> Option<String> {
        of_mean(shape, terms, limits(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::{studentised_permutation, welch};
    use super::*;
    use crate::hypothesis::ground::testing::{assert_close, assert_power, normals, seeded};

    #[test]
    fn it_is_never_surer_than_its_parts_and_has_the_statistic_of_welch() {
        for seed in 0..20 {
            let rng = &mut seeded(seed);
            let (a, b) = (normals(rng, 9), normals(rng, 15));
            let found = robust_difference(&a, &b, Alternative::Greater, 499, 1).unwrap();
            let of_welch = welch(&a, &b, Alternative::Greater).unwrap();
            let permuted = studentised_permutation(&a, &b, Alternative::Greater, 499, 1).unwrap();
            assert!(found.p_value >= of_welch.p_value.max(permuted.p_value) - 1e-12);
            assert_close(found.statistic, of_welch.statistic, 1e-10);
            assert!(found.notes[0].ends_with(" decides"), "{:?}", found.notes);
        }
    }

    #[test]
    fn it_errs_at_most_one_time_in_twenty_where_its_parts_do_not() {
        // Skewed samples of one distribution and unequal length: Welch errs on one side. Normal samples of different
        // spread: the permutation does.
        let (rng, mut errors, mut of_welch, mut permuted) = (&mut seeded(8), [0, 0], 0, 0);
        let exponential = |rng: &mut _, n: usize| {
            normals(rng, 2 * n)
                .chunks(2)
                .map(|pair| f64::midpoint(pair[0].powi(2), pair[1].powi(2)))
                .collect::<Vec<f64>>()
        };
        for seed in 0..1000 {
            let (a, b) = (exponential(rng, 24), exponential(rng, 6));
            errors[0] +=
                usize::from(robust_difference(&a, &b, Alternative::Greater, 199, seed).unwrap().p_value <= 0.05);
            of_welch += usize::from(welch(&a, &b, Alternative::Greater).unwrap().p_value <= 0.05);
            let (a, b) = (normals(rng, 24), normals(rng, 6).iter().map(|x| 4.0 * x).collect::<Vec<f64>>());
            errors[1] += usize::from(robust_difference(&a, &b, Alternative::Less, 199, seed).unwrap().p_value <= 0.05);
            let found = studentised_permutation(&a, &b, Alternative::Less, 199, seed).unwrap();
            permuted += usize::from(found.p_value <= 0.05);
        }
        assert!(errors.iter().all(|count| (20..=66).contains(count)), "{errors:?}");
        assert!(of_welch > 80 && permuted > 80, "{of_welch} {permuted}");
        assert_power(0.95, |rng, seed| {
            let a: Vec<f64> = normals(rng, 30).iter().map(|x| x + 1.0).collect();
            robust_difference(&a, &normals(rng, 30), Alternative::Greater, 199, seed).unwrap()
        });
    }

    #[test]
    fn samples_without_spread_get_an_answer_or_an_error_by_name() {
        assert_eq!(robust_difference(&[0.1; 5], &[0.1; 7], Alternative::TwoSided, 99, 0).unwrap().p_value, 1.0);
        assert_eq!(
            robust_difference(&[1.0; 3], &[2.0; 3], Alternative::TwoSided, 99, 0).unwrap_err().to_string(),
            "`robust_difference` is degenerate: neither sample varies: all values are 1 and 2; measure on inputs that differ, \
             or use `permutation`, which needs no variance"
        );
    }
}
