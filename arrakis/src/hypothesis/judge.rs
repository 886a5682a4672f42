//! From a measurement and a null to a verdict.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::estimate::{effect, successes};
use super::stats::{self, Interval, TestResult};
use super::{Claim, EffectSize, Null, NullSummary, Sample, Summary, Test, Verdict};
use crate::error::Result;

/// The null once its draws are taken.
pub(super) enum Against {
    Value(f64),
    Sample(Sample),
    Draws(Sample),
}

impl Claim {
    /// Holds `observed` against `null`.
    ///
    /// The seed of every draw comes from [`Claim::seed`], so the verdict is the same each time.
    ///
    /// # Errors
    ///
    /// [`Claim::validate`]'s; [`Error::Claim`](crate::Error::Claim) where the test does not fit what was measured, naming
    /// those that do; [`Error::Statistics`](crate::Error::Statistics) and [`Error::Degenerate`](crate::Error::Degenerate) of
    /// the test itself; any error of a draw of the null.
    pub fn judge(&self, observed: Sample, null: Null) -> Result<Verdict> {
        self.validate()?;
        let test = self.choose(&observed, &null)?;
        let against = self.draw(null)?;
        let found = self.run(test, &observed, &against)?;
        let ci = self.interval(test, &observed, &against)?;
        let effect_size = effect(test, &observed, &against)?;
        Ok(self.verdict(test, observed, against, &found, ci, effect_size))
    }

    /// Takes the draws of the null, each from a seed of its own.
    fn draw(&self, null: Null) -> Result<Against> {
        let mut draw = match null {
            Null::Value(value) => return Ok(Against::Value(value)),
            Null::Sample(sample) => return Ok(Against::Sample(sample)),
            Null::Draws(draw) => draw,
        };
        let mut seeds = ChaCha8Rng::seed_from_u64(self.seed);
        let draws = (0..self.draws).map(|_| draw(seeds.next_u64())).collect::<Result<Vec<f64>>>()?;
        Ok(Against::Draws(Sample::new(draws)?))
    }

    fn run(&self, test: Test, observed: &Sample, against: &Against) -> Result<TestResult> {
        let (a, way, draws, seed) = (observed.values(), self.alternative, self.draws, self.seed);
        match (test, against) {
            (Test::OneSampleT, Against::Value(null)) => stats::one_sample_t(a, *null, way),
            (Test::SignFlip, Against::Value(null)) => stats::sign_flip(a, *null, way, draws, seed),
            (Test::Wilcoxon, Against::Value(null)) => stats::wilcoxon(a, *null, way),
            (Test::Binomial, Against::Value(null)) => stats::binomial(successes(a), a.len() as u64, *null, way),
            (Test::MonteCarlo, Against::Sample(null) | Against::Draws(null)) => self.monte_carlo(a[0], null),
            (Test::Welch, Against::Sample(null)) => stats::welch(a, null.values(), way),
            (Test::PairedT, Against::Sample(null)) => stats::paired_t(a, null.values(), way),
            (Test::SignFlip, Against::Sample(null)) => stats::sign_flip_paired(a, null.values(), way, draws, seed),
            (Test::Wilcoxon, Against::Sample(null)) => stats::wilcoxon_paired(a, null.values(), way),
            (Test::Permutation, Against::Sample(null)) => stats::permutation(a, null.values(), way, draws, seed),
            (Test::MannWhitney, Against::Sample(null)) => stats::mann_whitney(a, null.values(), way),
            _ => unreachable!("BUG: `choose` lets only fitting tests through"),
        }
    }

    fn monte_carlo(&self, observed: f64, null: &Sample) -> Result<TestResult> {
        self.check_draws(null.n(), Test::MonteCarlo)?;
        let found = stats::monte_carlo(observed, null.values(), self.alternative)?;
        let mut sorted = null.values().to_vec();
        sorted.sort_by(f64::total_cmp);
        let end = (0.025 * sorted.len() as f64) as usize;
        let (low, high) = (sorted[end], sorted[sorted.len() - 1 - end]);
        Ok(found.note(format!("the middle 95% of the null is [{low:.4}, {high:.4}]")))
    }

    fn verdict(
        &self,
        test: Test,
        observed: Sample,
        against: Against,
        found: &TestResult,
        ci: Option<Interval>,
        effect_size: Option<EffectSize>,
    ) -> Verdict {
        let (null, null_values) = match against {
            Against::Value(value) => (NullSummary::Value(value), vec![value]),
            Against::Sample(sample) => (NullSummary::Sample(sample.summary()), sample.into()),
            Against::Draws(sample) => (NullSummary::Draws(sample.summary()), sample.into()),
        };
        let summary = observed.summary();
        Verdict {
            claim: self.clone(),
            difference: summary.mean - null.mean(),
            notes: self.notes(found, &summary, effect_size.is_none()),
            observed: summary,
            null,
            test,
            method: found.method.into(),
            statistic: found.statistic,
            df: found.df,
            p_value: found.p_value,
            alpha_corrected: self.alpha_corrected(),
            effect_size,
            ci,
            holds: self.rejects(found.p_value),
            observed_values: observed.into(),
            null_values,
        }
    }

    fn notes(&self, found: &TestResult, observed: &Summary, no_effect_size: bool) -> Vec<String> {
        let mut notes = found.notes.clone();
        if !self.rejects(found.smallest_p) {
            notes.push(format!(
                "with n = {} the smallest p-value of this test is {:.4}, so the claim cannot hold: measure more",
                observed.n, found.smallest_p
            ));
        }
        if no_effect_size {
            notes.push("there is no spread to give an effect size in".into());
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::testing::{assert_close, normals, seeded};
    use super::super::testing::{claim, sample};
    use super::*;
    use crate::error::Error;

    #[test]
    fn draws_get_seeds_of_their_own_and_repeat() {
        let judge = || {
            let null = Null::Draws(Box::new(|seed| Ok(normals(&mut seeded(seed), 1)[0])));
            claim(Test::Auto).judge(sample(5.0), null).unwrap()
        };
        let verdict = judge();
        assert_eq!(verdict, judge());
        assert_close(verdict.p_value, 1.0 / 1000.0, 1e-15);
        assert_eq!(verdict.null_values.len(), 999);
        assert_close(verdict.effect_size.unwrap().value, 5.0, 0.5);
        let repeats = verdict.null_values.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(repeats, 0);
    }

    #[test]
    fn comparisons_tighten_alpha() {
        let scores = sample([0.2, 0.3, 0.1, 0.4, 0.2, 0.3]);
        let alone = claim(Test::SignFlip).judge(scores.clone(), Null::Value(0.0)).unwrap();
        let searched = Claim { comparisons: 10, ..claim(Test::SignFlip) }.judge(scores, Null::Value(0.0)).unwrap();
        assert!(alone.holds && !searched.holds);
        assert_close(searched.alpha_corrected, 0.005, 1e-15);
        assert!(
            searched.notes[0].starts_with("with n = 6 the smallest p-value of this test is 0.0156"),
            "{:?}",
            searched.notes
        );
    }

    #[test]
    fn a_failing_or_broken_draw_is_an_error() {
        let failing = Null::Draws(Box::new(|_| Sample::new(Vec::new()).map(|_| 0.0)));
        assert!(claim(Test::Auto).judge(sample(1.0), failing).is_err());
        let broken = claim(Test::Auto).judge(sample(1.0), Null::Draws(Box::new(|_| Ok(f64::NAN)))).unwrap_err();
        assert!(broken.to_string().contains("value 0 of 999 is NaN"), "{broken}");
        let few = claim(Test::Auto).judge(sample(1.0), Null::Sample(sample([0.0, 0.1]))).unwrap_err();
        assert!(matches!(few, Error::TooFewDraws { draws: 2, needed: 19, .. }), "{few}");
    }

    #[test]
    fn no_effect_is_an_answer() {
        let verdict = claim(Test::Auto).judge(sample([0.0; 8]), Null::Value(0.0)).unwrap();
        assert!(!verdict.holds && verdict.p_value == 1.0 && verdict.effect_size.is_none());
        assert_eq!(verdict.notes.len(), 2);
        assert!(serde_json::to_string(&verdict).is_ok_and(|text| !text.contains("NaN")));
    }
}
