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
            let both = if let (Test::ClusterDifference, Null::Sample(null)) = (test, &null) { null.n() } else { 0 };
            let claim = whole(test, observed.n() + both);
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
        let both = if test == Test::ClusterDifference { b.len() } else { 0 };
        let alternative = [Alternative::Greater, Alternative::Less, Alternative::TwoSided][(round / 5 % 3) as usize];
        let claim =
            Claim { alternative, draws: 199, alpha: [0.05, 0.2, 0.01][(round % 3) as usize], ..whole(test, n + both) };
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
