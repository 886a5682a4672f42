//! Judges a claim: from a measurement and a null to a verdict.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::choose::look;
use super::data::{Data, Design, Pairing};
use super::effects::EffectSize;
use super::estimand::Estimand;
use super::ground::{Interval, TestResult};
use super::look::Look;
use super::statistic::Statistic;
use super::tests::levels;
use super::variance::{VarianceComponent, named};
use super::{Alternative, Claim, Null, NullSummary, Sample, Test, Verdict};
use crate::error::{Error, Result};

/// The null after its draws are taken.
enum Against {
    Value(f64),
    Sample(Sample),
    Draws(Sample),
}

/// What a statistic finds.
struct Found {
    result: TestResult,
    interval: Option<Interval>,
    effect_size: Option<EffectSize>,
    estimand: Estimand,
    estimate: f64,
    why: String,
    caution: Option<String>,
    variance: Vec<VarianceComponent>,
    least: Option<usize>,
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
    /// - [`Error::Claim`] if the test does not fit the measurement, with the tests that do; if two samples may be pairs or
    ///   independent, and nothing says which; and if the test is not about what the claim is about.
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
        let design = self.design(&observed, &null)?;
        let test = self.choose(&observed, &null, design, self.seen(design, &observed, &null).as_ref())?;
        let (statistic, design) = test.statistic().zip(design).expect("BUG: a chosen test fits a design");
        let against = self.draw(null)?;
        let found = self.find(statistic, design, data(statistic, design, &observed, &against))?;
        Ok(self.verdict(test, observed, against, found))
    }

    /// What the values look like, unless the null is still to be drawn.
    fn seen(&self, design: Option<Design>, observed: &Sample, null: &Null) -> Option<Look> {
        let values = observed.values();
        let data = match (design?, null) {
            (Design::Draws, _) | (_, Null::Draws(_)) => return None,
            (_, Null::Value(null)) => Data::Number { observed: values, null: *null },
            (Design::Samples { pairing, .. }, Null::Sample(null)) => {
                Data::Samples { observed: values, null: null.values(), paired: pairing == Pairing::Paired }
            }
            _ => return None,
        };
        look(&self.terms(), data)
    }

    fn find(&self, statistic: &dyn Statistic, design: Design, data: Data) -> Result<Found> {
        let terms = self.terms();
        let result = statistic.run(&terms, data)?;
        let look = look(&terms, data);
        let caution = look.and_then(|look| statistic.caution(&look, &terms));
        let effect_size = match statistic.effect(data) {
            Ok(effect) => Some(effect),
            Err(Error::Degenerate { .. }) => None,
            Err(error) => return Err(error),
        };
        let estimand = statistic.estimand(design);
        let interval = statistic.interval(&terms, data)?;
        let holds = terms.rejects(result.p_value);
        Ok(Found {
            interval: interval
                .filter(|interval| !statistic.has_direction() || agrees(interval, holds, self.alternative)),
            effect_size,
            estimand,
            estimate: statistic.estimate(&terms, data)?,
            why: why(estimand, statistic.assumes(), look),
            caution,
            variance: self.variance(data)?,
            least: statistic.least(&terms),
            result,
        })
    }

    /// Takes the draws of the null, each from its own seed.
    fn draw(&self, null: Null) -> Result<Against> {
        let mut draw = match null {
            Null::Value(value) => return Ok(Against::Value(value)),
            Null::Sample(sample) => return Ok(Against::Sample(sample)),
            Null::Draws(draw) => draw,
        };
        self.check_drawn()?;
        let mut seeds = ChaCha8Rng::seed_from_u64(self.seed);
        let draws = (0..self.draws).map(|_| draw(seeds.next_u64())).collect::<Result<Vec<f64>>>()?;
        Ok(Against::Draws(Sample::new(draws)?))
    }

    /// The variance components of the groupings that are given.
    fn variance(&self, data: Data) -> Result<Vec<VarianceComponent>> {
        let given = [("groups", &self.groups), ("nested", &self.nested), ("crossed", &self.crossed)];
        let given: Vec<(&str, &Vec<String>)> =
            given.into_iter().filter_map(|(name, groups)| Some((name, groups.as_ref()?))).collect();
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let differences = data.differences()?;
        if let Some((name, groups)) = given.iter().find(|(_, groups)| groups.len() != differences.len()) {
            let problem = format!("there are {} values, and `{name}` has {}", differences.len(), groups.len());
            return Err(self.refuse(problem, "give one group per value"));
        }
        let groupings: Vec<(&str, Vec<usize>)> =
            given.into_iter().map(|(name, groups)| (name, levels(groups))).collect();
        Ok(named(&differences, &groupings))
    }

    fn verdict(&self, test: Test, observed: Sample, against: Against, found: Found) -> Verdict {
        let (null, null_values) = match against {
            Against::Value(value) => (NullSummary::Value(value), vec![value]),
            Against::Sample(sample) => (NullSummary::Sample(sample.summary()), sample.into()),
            Against::Draws(sample) => (NullSummary::Draws(sample.summary()), sample.into()),
        };
        let summary = observed.summary();
        Verdict {
            claim: self.clone(),
            difference: summary.mean - null.mean(),
            notes: self.notes(&found, summary.n),
            observed: summary,
            null,
            test,
            method: found.result.method.into(),
            statistic: found.result.statistic,
            df: found.result.df,
            p_value: found.result.p_value,
            alpha_corrected: self.alpha_corrected(),
            estimand: Some(found.estimand),
            estimate: Some(found.estimate),
            effect_size: found.effect_size,
            ci: found.interval,
            holds: self.terms().rejects(found.result.p_value),
            why: found.why,
            caution: found.caution,
            variance: found.variance,
            observed_values: observed.into(),
            null_values,
            origin: None,
        }
    }

    fn notes(&self, found: &Found, n: usize) -> Vec<String> {
        let mut notes = found.result.notes.clone();
        if !self.terms().rejects(found.result.smallest_p) {
            let smallest = crate::fmt::short(found.result.smallest_p);
            let more = found.least.map_or_else(|| "more".to_owned(), |least| format!("at least {least}"));
            notes.push(format!(
                "with n = {n} the smallest p-value of this test is {smallest}, so the claim cannot hold: measure {more}"
            ));
        }
        if found.effect_size.is_none() {
            notes.push("the values do not vary, so there is no effect size".into());
        }
        if found.interval.is_none() && n > 1 && found.effect_size.is_some() {
            notes.push("there is no interval: no finite one is the dual of this test at this alpha".into());
        }
        if self.selected {
            notes.push(format!(
                "chosen among {} places on these values: the interval is as wide as for all of them together",
                self.comparisons
            ));
        }
        notes
    }
}

/// Whether an interval excludes zero, on the claimed side, exactly if the claim holds.
fn agrees(interval: &Interval, holds: bool, alternative: Alternative) -> bool {
    let excludes = match alternative {
        Alternative::Greater => interval.low > 0.0,
        Alternative::Less => interval.high < 0.0,
        Alternative::TwoSided => interval.low > 0.0 || interval.high < 0.0,
    };
    excludes == holds
}

/// What is tested, under which assumption, on what kind of values.
fn why(estimand: Estimand, assumes: &str, look: Option<Look>) -> String {
    let seen = look.map_or_else(String::new, |look| format!("; {}", look.words()));
    format!("about the {estimand}, assuming {assumes}{seen}")
}

/// The numbers of a measurement of this `design`.
fn data<'a>(statistic: &dyn Statistic, design: Design, observed: &'a Sample, against: &'a Against) -> Data<'a> {
    let values = observed.values();
    match (design, against) {
        (Design::Draws, Against::Sample(null) | Against::Draws(null)) => {
            Data::Draws { observed: values[0], null: null.values() }
        }
        (_, Against::Value(null)) => Data::Number { observed: values, null: *null },
        (_, Against::Sample(null) | Against::Draws(null)) => {
            // If nobody said how the samples belong together, the test that was named does.
            let pairs = |binary| Design::Samples { pairing: Pairing::Paired, binary };
            let paired = match design {
                Design::Samples { pairing: Pairing::Unsaid, binary } => statistic.fits(pairs(binary)),
                Design::Samples { pairing, .. } => pairing == Pairing::Paired,
                _ => false,
            };
            Data::Samples { observed: values, null: null.values(), paired }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::Need;
    use super::super::ground::testing::{assert_close, normals, seeded};
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
            searched.notes[0].starts_with("with n = 6 the smallest p-value of this test is 0.0156, so"),
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
        assert_eq!(verdict.test, Test::SignFlip);
        assert_eq!(verdict.notes.len(), 2, "{:?}", verdict.notes);
        assert!(serde_json::to_string(&verdict).is_ok_and(|text| !text.contains("NaN")));
    }

    /// A claim with every option that `test` needs for `n` values: groups of two, crossed by groups of every seventh.
    fn whole(test: Test, n: usize) -> Claim {
        // Of two samples of one length a test of both kinds must know which they are.
        let paired = (test == Test::Tost).then_some(false);
        let needs = |need| test.statistic().is_some_and(|statistic| statistic.needs().contains(&need));
        let groups = |of: fn(usize) -> usize| Some((0..n).map(|index| of(index).to_string()).collect());
        Claim {
            alternative: if test == Test::Tost { Alternative::TwoSided } else { Alternative::Greater },
            margin: needs(Need::Margin).then_some(10.0),
            groups: if needs(Need::Groups) { groups(|index| index / 2) } else { None },
            crossed: if needs(Need::Crossed) { groups(|index| index % 7) } else { None },
            paired,
            ..claim(test)
        }
    }

    fn design(observed: &Sample, null: &Null) -> Option<Design> {
        whole(Test::Welch, 0).design(observed, null).unwrap()
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
            (sample([true; 20]), Null::Sample(sample([false; 20]))),
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
                        // The dual of a test that uses the spread is a point, or none, where nothing varies.
                        assert!(verdict.ci.is_none() == single || verdict.effect_size.is_none(), "{verdict}");
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
    fn a_margin_claims_equivalence_and_groups_count_as_wholes() {
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
        let verdict = grouped.judge(values(), Null::Value(0.0)).unwrap();
        assert_eq!((verdict.test, verdict.variance.len()), (Test::ClusterMean, 2));
        let caution = verdict.caution.unwrap();
        assert!(caution.starts_with("they are too few to rule out skew") && verdict.why.contains("the 4 groups"));
        let seeds = (0..8).map(|index| (index % 2).to_string()).collect();
        let crossed = Claim { crossed: Some(seeds), ..grouped };
        let verdict = crossed.judge(values(), Null::Value(0.0)).unwrap();
        assert_eq!((verdict.test, verdict.variance.len()), (Test::CrossedMean, 3));
        let short = Claim { groups: Some(vec!["a".into(), "b".into()]), ..claim(Test::Auto) };
        assert_eq!(
            short.judge(values(), Null::Value(0.0)).unwrap_err().to_string(),
            "`cluster_mean`: there are 8 values and 2 groups; give one group per value"
        );
    }

    #[test]
    fn no_verdict_contradicts_its_interval() {
        let rng = &mut seeded(11);
        let mut with_interval = 0;
        for round in 0..2500_u64 {
            let n = 3 + (round % 14) as usize;
            let shape = |x: f64| match round % 4 {
                0 => x,
                1 => x.exp() - 1.5,
                2 => (2.0 * x).round() / 2.0,
                _ => x.powi(3),
            };
            let mut draw = |n| normals(rng, n).into_iter().map(shape).map(|x| x + 0.4).collect::<Vec<f64>>();
            let (a, b) = (draw(n), draw(n + (round % 3) as usize));
            let tests: Vec<Test> = Test::ALL.iter().copied().filter(|test| *test != Test::Auto).collect();
            let test = tests[round as usize % tests.len()];
            let statistic = test.statistic().unwrap();
            let alternative =
                [Alternative::Greater, Alternative::Less, Alternative::TwoSided][(round / 5 % 3) as usize];
            let claim =
                Claim { alternative, draws: 199, alpha: [0.05, 0.2, 0.01][(round % 3) as usize], ..whole(test, n) };
            let ones = |values: &[f64]| values.iter().map(|&x| f64::from(u8::from(x > 0.0))).collect::<Vec<f64>>();
            let (one_a, one_b) = (ones(&a), ones(&b[..n]));
            let data = [
                (Design::Number { binary: false }, Data::Number { observed: &a, null: 0.0 }),
                (Design::Number { binary: true }, Data::Number { observed: &one_a, null: 0.5 }),
                (
                    Design::Samples { pairing: Pairing::Paired, binary: true },
                    Data::Samples { observed: &one_a, null: &one_b, paired: true },
                ),
                (
                    Design::Samples { pairing: Pairing::Independent, binary: false },
                    Data::Samples { observed: &a, null: &b, paired: false },
                ),
            ];
            let terms = claim.terms();
            for (design, data) in data {
                if !statistic.fits(design) || !statistic.has_direction() {
                    continue;
                }
                let (Ok(found), Ok(Some(interval))) = (statistic.run(&terms, data), statistic.interval(&terms, data))
                else {
                    continue;
                };
                let holds = terms.rejects(found.p_value);
                assert!(agrees(&interval, holds, alternative), "{test} {alternative} {found:?} {interval:?} {data:?}");
                assert!(interval.low <= interval.high, "{interval:?}");
                with_interval += 1;
            }
        }
        assert!(with_interval > 2000, "{with_interval}");
    }

    #[test]
    fn an_interval_counts_the_comparisons() {
        let values = || sample(normals(&mut seeded(4), 12));
        let level = |comparisons| {
            let claim = Claim { comparisons, selected: comparisons > 1, ..claim(Test::OneSampleT) };
            claim.judge(values(), Null::Value(0.0)).unwrap().ci.unwrap().level
        };
        assert_close(level(1), 0.9, 1e-15);
        assert_close(level(270), 1.0 - 0.1 / 270.0, 1e-12);
    }

    #[test]
    fn alpha_at_its_ends_gets_an_answer() {
        let values = || sample(normals(&mut seeded(5), 12).iter().map(|x| x + 9.0).collect::<Vec<f64>>());
        for test in [Test::OneSampleT, Test::SignTest, Test::Wilcoxon, Test::RobustMean] {
            for alternative in [Alternative::Greater, Alternative::TwoSided] {
                for alpha in [1e-300, 1e-17, 0.5, 0.999_999] {
                    let claim = Claim { alternative, alpha, ..claim(test) };
                    match claim.judge(values(), Null::Value(0.0)) {
                        Ok(verdict) => {
                            let finite = |ci: Interval| ci.low.is_finite() && ci.high.is_finite();
                            assert!(verdict.ci.is_none_or(finite) && (verdict.holds || alpha < 0.1));
                        }
                        Err(error) => assert!(error.to_string().contains("use a test that draws nothing"), "{error}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_claim_that_cannot_hold_says_how_many_values_could() {
        let least = |n: usize| {
            let claim = Claim { comparisons: 20, ..claim(Test::SignFlip) };
            claim.judge(sample(vec![1.0; n]), Null::Value(0.0)).unwrap()
        };
        let verdict = least(6);
        assert!(verdict.notes[0].ends_with("so the claim cannot hold: measure at least 9"), "{:?}", verdict.notes);
        assert!(!least(8).holds && least(9).holds);
    }
}
