//! How large the effect is, and how sure of that the data let us be.

use super::judge::Against;
use super::stats::{self, Bootstrap, Interval, IntervalMethod};
use super::{Alternative, Claim, EffectSize, Sample, Test};
use crate::error::{Error, Result};

impl Claim {
    /// The interval of the difference of means, the dual of the test where α is not divided.
    pub(super) fn interval(&self, test: Test, observed: &Sample, against: &Against) -> Result<Option<Interval>> {
        let tails = if self.alternative == Alternative::TwoSided { 1.0 } else { 2.0 };
        let level = if tails * self.alpha < 1.0 { 1.0 - tails * self.alpha } else { 1.0 - self.alpha };
        let values = observed.values();
        // BCa leaves out each value in turn; in a large sample its correction is nothing and its cost is not.
        let method = if values.len() > 2000 { IntervalMethod::Percentile } else { IntervalMethod::Bca };
        let bootstrap = Bootstrap { level, seed: self.seed, method, ..Bootstrap::default() };
        let found = match (test, against) {
            (Test::MonteCarlo, _) => return Ok(None),
            (Test::Binomial, Against::Value(null)) => {
                stats::clopper_pearson(successes(values), values.len() as u64, level)?.shifted(*null)
            }
            (Test::Welch, Against::Sample(null)) => stats::welch_interval(values, null.values(), level)?,
            (Test::OneSampleT | Test::PairedT, _) => {
                stats::one_sample_t_interval(&differences(observed, against)?, level)?
            }
            (Test::SignFlip | Test::Wilcoxon, _) => {
                stats::bootstrap(&differences(observed, against)?, bootstrap, stats::mean)?
            }
            (_, Against::Sample(null)) => stats::bootstrap_difference(values, null.values(), bootstrap)?,
            _ => return Ok(None),
        };
        Ok(Some(found))
    }
}

/// The effect size that belongs to the test; `None` where nothing varies.
pub(super) fn effect(test: Test, observed: &Sample, against: &Against) -> Result<Option<EffectSize>> {
    let values = observed.values();
    let (name, value) = match (test, against) {
        (Test::Binomial, Against::Value(null)) => ("cohen_h", stats::cohen_h(stats::mean(values), *null)),
        (Test::MonteCarlo, Against::Sample(null) | Against::Draws(null)) => ("z", z(values[0], null)),
        (Test::Welch | Test::Permutation, Against::Sample(null)) => {
            ("hedges_g", stats::hedges_g(values, null.values()))
        }
        (Test::MannWhitney, Against::Sample(null)) => ("cliffs_delta", stats::cliffs_delta(values, null.values())),
        (Test::Wilcoxon, _) => ("rank_biserial", stats::rank_biserial(&differences(observed, against)?)),
        _ => ("d_z", stats::cohen_dz(&differences(observed, against)?)),
    };
    match value {
        Ok(value) => Ok(Some(EffectSize { name: name.into(), value })),
        Err(Error::Degenerate { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many standard deviations of the null lie between its mean and the observed value.
fn z(observed: f64, null: &Sample) -> Result<f64> {
    let shifted: Vec<f64> = null.values().iter().map(|draw| observed - draw).collect();
    stats::cohen_dz(&shifted)
}

/// Observed less null, pair by pair or value by value.
fn differences(observed: &Sample, against: &Against) -> Result<Vec<f64>> {
    match against {
        Against::Value(null) => stats::paired_differences(observed.values(), &vec![*null; observed.n()]),
        Against::Sample(null) | Against::Draws(null) => stats::paired_differences(observed.values(), null.values()),
    }
}

/// How many of the values are 1.
pub(super) fn successes(values: &[f64]) -> u64 {
    values.iter().filter(|&&value| value == 1.0).count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::Null;
    use super::super::stats::testing::{assert_close, normals, seeded};
    use super::super::testing::{claim, sample};
    use super::*;

    #[test]
    fn every_test_judges_what_it_fits() {
        let (a, b) = (sample(normals(&mut seeded(0), 20)), sample(normals(&mut seeded(1), 20)));
        for test in [Test::Welch, Test::PairedT, Test::SignFlip, Test::Permutation, Test::Wilcoxon, Test::MannWhitney] {
            let verdict = claim(test).judge(a.clone(), Null::Sample(b.clone())).unwrap();
            assert_eq!(verdict.test, test);
            assert!(verdict.ci.is_some() && verdict.effect_size.is_some(), "{test}");
            assert_close(verdict.difference, a.summary().mean - b.summary().mean, 1e-12);
        }
        for test in [Test::OneSampleT, Test::SignFlip, Test::Wilcoxon] {
            let verdict = claim(test).judge(a.clone(), Null::Value(-5.0)).unwrap();
            assert!(verdict.holds && verdict.ci.unwrap().low > 0.0, "{test}");
        }
    }

    #[test]
    fn the_interval_is_the_dual_of_the_test() {
        // One-sided at 5%: the 90% interval clears zero exactly where the test rejects.
        for shift in [0.2, 0.4, 0.6, 0.8] {
            let values: Vec<f64> = normals(&mut seeded(4), 12).iter().map(|x| x + shift).collect();
            let verdict = claim(Test::OneSampleT).judge(sample(values), Null::Value(0.0)).unwrap();
            let interval = verdict.ci.unwrap();
            assert_close(interval.level, 0.9, 1e-15);
            assert_eq!(interval.low > 0.0, verdict.holds, "shift {shift}");
        }
    }
}
