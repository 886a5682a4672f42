//! Judges a claim: from a measurement and a null to a verdict.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::choose::design;
use super::data::{Data, Design};
use super::effects::EffectSize;
use super::ground::{Interval, TestResult};
use super::{Claim, Null, NullSummary, Sample, Summary, Test, Verdict};
use crate::error::{Error, Result};

/// The null after its draws are taken.
enum Against {
    Value(f64),
    Sample(Sample),
    Draws(Sample),
}

impl Claim {
    /// Compares `observed` with `null`.
    ///
    /// A sample whose place was searched for on the same prompts counts the comparisons of the search ([`Origin`](super::Origin)).
    /// The seed of every draw comes from [`Claim::seed`], so the verdict is reproducible.
    ///
    /// # Errors
    ///
    /// - Those of [`Claim::validate`].
    /// - [`Error::Claim`] if the place of `observed` was searched for on the same prompts among more places than the claim
    ///   states.
    /// - [`Error::Claim`] if the test does not fit the measurement; it names the tests that do.
    /// - [`Error::Statistics`] and [`Error::Degenerate`] from the test itself.
    /// - Any error of a draw of the null.
    pub fn judge(&self, observed: Sample, null: Null) -> Result<Verdict> {
        let (claim, selected) = self.facing(observed.origin())?;
        let origin = observed.origin().cloned();
        let mut verdict = claim.as_planned(observed, null, Self::judge_as_it_is)?;
        verdict.notes.splice(..0, selected);
        Ok(Verdict { origin, ..verdict })
    }

    fn judge_as_it_is(&self, observed: Sample, null: Null) -> Result<Verdict> {
        self.validate()?;
        let design = design(&observed, &null);
        let test = self.choose(&observed, &null, design)?;
        let (statistic, design) = test.statistic().zip(design).expect("BUG: a chosen test fits a design");
        let against = self.draw(null)?;
        let (terms, data) = (self.terms(), data(design, &observed, &against));
        let found = statistic.run(&terms, data)?;
        let ci = statistic.interval(&terms, data)?;
        let effect_size = match statistic.effect(data) {
            Ok(effect) => Some(effect),
            Err(Error::Degenerate { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(self.verdict(test, observed, against, &found, ci, effect_size))
    }

    /// Takes the draws of the null, each from its own seed.
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
            holds: self.terms().rejects(found.p_value),
            observed_values: observed.into(),
            null_values,
            origin: None,
        }
    }

    fn notes(&self, found: &TestResult, observed: &Summary, no_effect_size: bool) -> Vec<String> {
        let mut notes = found.notes.clone();
        if !self.terms().rejects(found.smallest_p) {
            notes.push(format!(
                "with n = {} the smallest p-value of this test is {:.4}, so the claim cannot hold: measure more",
                observed.n, found.smallest_p
            ));
        }
        if no_effect_size {
            notes.push("the values do not vary, so there is no effect size".into());
        }
        notes
    }
}

/// The numbers of a measurement of this `design`.
fn data<'a>(design: Design, observed: &'a Sample, against: &'a Against) -> Data<'a> {
    let values = observed.values();
    match (design, against) {
        (Design::Draws, Against::Sample(null) | Against::Draws(null)) => {
            Data::Draws { observed: values[0], null: null.values() }
        }
        (_, Against::Value(null)) => Data::Number { observed: values, null: *null },
        (_, Against::Sample(null) | Against::Draws(null)) => Data::Samples { observed: values, null: null.values() },
    }
}

#[cfg(test)]
mod tests {
    use super::super::Alternative;
    use super::super::data::Need;
    use super::super::ground::testing::{assert_close, normals, seeded};
    use super::super::statistic::Statistic;
    use super::super::testing::{claim, sample};
    use super::*;

    #[test]
    fn each_draw_gets_its_own_seed_and_repeats() {
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
    fn comparisons_lower_alpha() {
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

    /// A claim with every option that `test` needs for `n` values, two per group.
    fn whole(test: Test, n: usize) -> Claim {
        let needs = test.statistic().and_then(Statistic::needs);
        Claim {
            alternative: if test == Test::Tost { Alternative::TwoSided } else { Alternative::Greater },
            margin: (needs == Some(Need::Margin)).then_some(10.0),
            groups: (needs == Some(Need::Groups)).then(|| (0..n).map(|index| (index / 2).to_string()).collect()),
            ..claim(test)
        }
    }

    /// One measurement of every design, and one that no statistic fits, each with its null.
    fn measurements() -> Vec<(Sample, Null<'static>)> {
        let noise = |seed, n| normals(&mut seeded(seed), n);
        let near = |seed, n| noise(seed, n).iter().map(|x| 2.0 + x / 4.0).collect::<Vec<f64>>();
        vec![
            (sample(5.0), Null::Draws(Box::new(|seed| Ok(normals(&mut seeded(seed), 1)[0])))),
            (sample(5.0), Null::Sample(sample(noise(9, 99)))),
            (sample(near(0, 20)), Null::Value(0.5)),
            (sample([true; 20]), Null::Value(0.5)),
            (sample(near(1, 20)), Null::Sample(sample(noise(2, 20)))),
            (sample(near(3, 20)), Null::Sample(sample(noise(4, 30)))),
            (sample(1.0), Null::Value(0.0)),
        ]
    }

    #[test]
    fn every_statistic_can_be_claimed_and_judges_what_it_fits() {
        for test in Test::ALL.iter().copied().filter(|test| *test != Test::Auto) {
            let mut judged = 0;
            for (observed, null) in measurements() {
                let Some(design) = design(&observed, &null) else { continue };
                if !test.statistic().unwrap().fits(design) {
                    continue;
                }
                let claim = whole(test, observed.n());
                let (mean, single) = (observed.summary().mean, observed.single().is_some());
                match claim.judge(observed, null) {
                    // A constant has no variance, so it cannot be tested by it.
                    Err(Error::Degenerate { fix, .. }) => {
                        assert!(fix.contains("measure on inputs that differ"), "{fix}");
                    }
                    verdict => {
                        let verdict = verdict.unwrap();
                        assert_eq!(verdict.test, test);
                        assert!(verdict.holds, "{verdict}");
                        assert_eq!(verdict.ci.is_none(), single, "{verdict}");
                        assert_close(verdict.difference, mean - verdict.null.mean(), 1e-12);
                        let back = serde_json::from_str::<Verdict>(&serde_json::to_string(&verdict).unwrap()).unwrap();
                        assert_eq!(back, verdict);
                        judged += 1;
                    }
                }
            }
            assert!(judged > 0, "nothing was judged by `{test}`");
        }
    }

    #[test]
    fn every_statistic_refuses_what_it_does_not_fit_and_names_one_that_does() {
        for test in Test::ALL.iter().copied().filter(|test| *test != Test::Auto) {
            let mut refused = 0;
            for (observed, null) in measurements() {
                let design = design(&observed, &null);
                if design.is_some_and(|design| test.statistic().unwrap().fits(design)) {
                    continue;
                }
                let error = whole(test, observed.n()).judge(observed, null).unwrap_err().to_string();
                assert!(error.starts_with(&format!("claim `it copies`: the test `{test}` does not fit ")), "{error}");
                assert_eq!(error.contains("; these do: `"), design.is_some(), "{error}");
                assert_eq!(error.contains("; none does: "), design.is_none(), "{error}");
                refused += 1;
            }
            assert!(refused > 0, "`{test}` refused nothing");
        }
    }

    #[test]
    fn a_margin_claims_equivalence_and_groups_are_drawn_whole() {
        let values = || sample([0.1, -0.1, 0.2, 0.0, -0.2, 0.1, 0.0, -0.1]);
        let equal = Claim { alternative: Alternative::TwoSided, margin: Some(0.3), ..claim(Test::Auto) };
        let verdict = equal.judge(values(), Null::Value(0.0)).unwrap();
        assert!(verdict.holds && verdict.test == Test::Tost, "{verdict}");
        let interval = verdict.ci.unwrap();
        assert!(interval.level == 0.9 && interval.low > -0.3 && interval.high < 0.3, "the dual of the test");
        let closer = Claim { margin: Some(0.05), ..equal }.judge(values(), Null::Value(0.0)).unwrap();
        assert!(!closer.holds, "{closer}");
        let groups = ["a", "a", "b", "b", "c", "c", "d", "d"].map(String::from).to_vec();
        let grouped = Claim { groups: Some(groups), ..claim(Test::Auto) };
        assert_eq!(grouped.judge(values(), Null::Value(0.0)).unwrap().test, Test::ClusterBootstrap);
        let short = Claim { groups: Some(vec!["a".into(), "b".into()]), ..claim(Test::Auto) };
        assert_eq!(
            short.judge(values(), Null::Value(0.0)).unwrap_err().to_string(),
            "`cluster_bootstrap`: there are 8 values and 2 groups; give one group per value"
        );
    }

    #[test]
    fn the_interval_is_the_dual_of_the_test() {
        // One-sided at 5%: the 90% interval excludes zero exactly if the test rejects.
        for shift in [0.2, 0.4, 0.6, 0.8] {
            let values: Vec<f64> = normals(&mut seeded(4), 12).iter().map(|x| x + shift).collect();
            let verdict = claim(Test::OneSampleT).judge(sample(values), Null::Value(0.0)).unwrap();
            let interval = verdict.ci.unwrap();
            assert_close(interval.level, 0.9, 1e-15);
            assert_eq!(interval.low > 0.0, verdict.holds, "shift {shift}");
        }
    }
}
