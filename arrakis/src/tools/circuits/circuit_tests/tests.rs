use std::collections::BTreeSet;

use arrakis_models::Tokens;
use serde_json::Value;

use super::wins::{Wins, minimality};
use super::*;
use crate::hypothesis::{Alternative, Claim, IntoSample as _, Null, Test};
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};

/// Some of the parts.
fn half(tests: &CircuitTests) -> Vec<CircuitPart> {
    tests.parts().into_iter().step_by(2).collect()
}

fn half_of_edges(tests: &CircuitTests) -> Vec<CircuitEdge> {
    tests.edges().into_iter().step_by(2).collect()
}

impl Readings for CircuitTests {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let pair = self.from(&cases.other).into(&cases.prompt).unwrap();
        let all = |found: Wins| [&[found.distance, found.p_value][..], &found.random].concat();
        let minimal = |found: Vec<MinimalPart>| found.iter().map(|part| part.p_value).collect();
        let metric = &cases.metric;
        vec![
            Reading::numbers("scores", pair.scores(half(self), metric)),
            Reading::numbers("scores of edges", pair.scores(half_of_edges(self), metric)),
            Reading::numbers("equivalence", pair.equivalence(half(self), 0.1, metric).map(|found| found.differences)),
            Reading::numbers("minimality", pair.minimality(half(self), 0.9, metric).map(minimal)),
            Reading::numbers("sufficiency", pair.sufficiency(half(self), 5, 0.9, metric).map(all)),
            Reading::numbers("partial_necessity", pair.partial_necessity(half(self), 5, 0.9, metric).map(all)),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let pair = || self.from(&cases.other).into(&cases.prompt);
        let many = || {
            let cases = Cases::apart(6, 4);
            self.from(&cases.other).into(&cases.prompt)?.independence(half(self), 19, 0, &cases.metric)
        };
        vec![
            Call::new("from", pair),
            Call::new("scores", move || pair()?.scores(half(self), &cases.metric)),
            Call::new("equivalence", move || pair()?.equivalence(half(self), 0.1, &cases.metric)),
            Call::new("scores", move || pair()?.scores(half_of_edges(self), &cases.metric)).at_most(),
            Call::new("independence", many),
            Call::new("minimality", move || pair()?.minimality(half(self), 0.9, &cases.metric))
                .with([("units", self.parts().len())])
                .at_most(),
            Call::new("sufficiency", move || pair()?.sufficiency(half(self), 4, 0.9, &cases.metric))
                .with([("random", 4)])
                .at_most(),
            Call::new("sufficiency", move || pair()?.sufficiency(half_of_edges(self), 4, 0.9, &cases.metric))
                .with([("random", 4)])
                .at_most(),
            Call::new("partial_necessity", move || pair()?.partial_necessity(half(self), 4, 0.9, &cases.metric))
                .with([("random", 4)])
                .at_most(),
        ]
    }
}

fn reference() -> Value {
    serde_json::from_str(include_str!("../../../../../tests/fixtures/circuit_tests/reference.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn hsic_and_its_permutations_are_those_of_numpy() {
    for case in reference()["hsic"].as_array().unwrap() {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        close(hsic(&a, &b).unwrap(), case["hsic"].as_f64().unwrap(), 1e-12);
        let found = Independence::of(&a, &b, 4999, 1).unwrap();
        // Three standard errors of a share of 4999 draws.
        close(found.p_value, case["exact"].as_f64().unwrap(), 0.022);
    }
}

#[test]
fn the_sign_test_is_the_sum_of_the_paper() {
    for case in reference()["equivalence"].as_array().unwrap() {
        let (n, ahead) = (case["n"].as_u64().unwrap() as usize, case["ahead"].as_u64().unwrap() as usize);
        let model: Vec<f64> = (0..n).map(|at| if at < ahead { 1.0 } else { -1.0 }).collect();
        let found = Equivalence::of(&model, &vec![0.0; n], case["epsilon"].as_f64().unwrap()).unwrap();
        close(found.p_value, case["unlike"].as_f64().unwrap(), 1e-12);
        close(found.p_equivalent.unwrap(), case["equivalent"].as_f64().unwrap(), 1e-12);
    }
}

#[test]
fn wins_are_binomial_tails_and_ties_are_no_wins() {
    for case in reference()["wins"].as_array().unwrap() {
        let (n, count) = (case["n"].as_u64().unwrap() as usize, case["count"].as_u64().unwrap() as usize);
        let random = (0..n).map(|at| if at < count { 2.0 } else { 1.0 }).collect();
        let quantile = case["quantile"].as_f64().unwrap();
        let found = Wins::of(1.0, random, quantile, |own, other| own < other).unwrap();
        assert_eq!(found.count(), count);
        close(found.p_value, case["p"].as_f64().unwrap(), 1e-12);
        // The same as a claim, from the attribute's parts.
        let claim = Claim {
            statement: "it is sufficient".into(),
            test: Test::Binomial,
            alternative: Alternative::Greater,
            ..Claim::default()
        };
        let judged = claim.judge(found.wins.clone().into_sample().unwrap(), Null::Value(quantile)).unwrap();
        close(judged.p_value, found.p_value, 1e-12);
    }
}

#[test]
fn identical_scores_are_not_told_apart() {
    let found = Equivalence::of(&[0.3, 0.5, 0.7], &[0.3, 0.5, 0.7], 0.1).unwrap();
    assert_eq!((found.unequal, found.p_value, found.p_equivalent), (0, 1.0, None));
    // A gap that is the same on every prompt: the reference package calls this certain after one prompt.
    let ahead = Equivalence::of(&[2.0; 20], &[0.0; 20], 0.1).unwrap();
    close(ahead.p_value, 0.6f64.powi(20) + 0.4f64.powi(20), 1e-15);
}

#[test]
fn p_values_of_independent_scores_are_uniform() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let mut draw = || (0..12).map(|_| rng.random::<f64>()).collect::<Vec<f64>>();
    let p_values: Vec<f64> =
        (0..400).map(|seed| Independence::of(&draw(), &draw(), 99, seed).unwrap().p_value).collect();
    for level in [0.05, 0.2, 0.5] {
        let share = p_values.iter().filter(|p| **p <= level).count() as f64 / 400.0;
        // Three standard errors of a binomial share.
        close(share, level, 3.0 * (level * (1.0 - level) / 400.0f64).sqrt());
    }
}

/// Repeated tokens for the model that copies what followed, and its other prompts.
fn planted() -> (CircuitTests, Tokens, Tokens, Metric) {
    let row = |shift: u32| vec![1 + shift, 4, 7, 2 + shift, 9, 1 + shift, 4, 7, 2 + shift];
    let other = |shift: u32| vec![3 + shift, 5, 8, 6, 10, 3 + shift, 1, 4, 2 + shift];
    let rows = |of: &dyn Fn(u32) -> Vec<u32>| Tokens::new((0..4).map(of).collect()).unwrap();
    (CircuitTests::new(&induction_model()).unwrap(), rows(&row), rows(&other), Metric::logit_diff(9, 10))
}

/// The two heads that the model was built from.
fn built_from() -> Vec<CircuitPart> {
    vec![CircuitPart::Head { layer: 0, head: 1 }, CircuitPart::Head { layer: 1, head: 0 }]
}

#[test]
fn a_model_built_by_hand_passes_and_a_wrong_circuit_fails() {
    let (tests, clean, other, metric) = planted();
    let pair = tests.from(&other).into(&clean).unwrap();
    let equal = pair.equivalence(built_from(), 0.1, &metric).unwrap();
    assert!(equal.p_value > 0.99 && equal.differences.iter().all(|change| change.abs() < 1e-4), "{equal:?}");
    let minimal = pair.minimality(built_from(), 0.5, &metric).unwrap();
    assert!(minimal.iter().all(|part| part.p_corrected == 1.0 && part.effect > 0.01), "{minimal:?}");
    let sufficient = pair.sufficiency(built_from(), 60, 0.5, &metric).unwrap();
    assert!(sufficient.p_value < 0.01, "{sufficient:?}");

    let wrong = vec![CircuitPart::Head { layer: 0, head: 0 }, CircuitPart::Mlp { layer: 1 }];
    let scores = pair.scores(wrong.clone(), &metric).unwrap();
    let kept = pair.scores(tests.parts(), &metric).unwrap();
    assert!(scores.iter().zip(&kept).any(|(wrong, kept)| (wrong - kept).abs() > 0.5), "{scores:?} {kept:?}");
    assert!(pair.sufficiency(wrong.clone(), 60, 0.5, &metric).unwrap().p_value > 0.5);
    assert!(pair.partial_necessity(wrong, 60, 0.5, &metric).unwrap().p_value > 0.5);
    let needless = built_from().into_iter().chain([CircuitPart::Mlp { layer: 0 }]);
    let part = pair.minimality(needless, 0.9, &metric).unwrap();
    let mlp = part.iter().find(|part| part.part.head().is_none()).unwrap();
    // It writes nothing, as the parts that could be added do: a tie counts against a rejection.
    assert!(mlp.effect < 1e-9 && mlp.ahead == mlp.added.len(), "{mlp:?}");
}

#[test]
fn the_whole_circuit_is_the_model_and_the_empty_one_the_source() {
    let model = fixture("gpt2");
    let (tests, cases) = (CircuitTests::new(&model).unwrap(), Cases::apart(2, 4));
    let pair = tests.from(&cases.prompt).into(&cases.prompt).unwrap();
    let clean = cases.metric.values(&model, &cases.prompt).unwrap();
    assert_eq!(pair.scores(tests.parts(), &cases.metric).unwrap(), clean);
    for (same, clean) in pair.scores::<CircuitPart>([], &cases.metric).unwrap().iter().zip(&clean) {
        close(*same, *clean, 1e-4);
    }
}

#[test]
fn minimality_compares_every_part_with_every_addition() {
    let (tests, clean, other, metric) = planted();
    let pair = tests.from(&other).into(&clean).unwrap();
    let study = pair.study(&metric).unwrap();
    let circuit: BTreeSet<CircuitPart> = built_from().into_iter().collect();
    let found = minimality(&study, &circuit, 0.9).unwrap();
    assert_eq!((found.len(), found[0].added.len()), (2, tests.parts().len() - 2));
}

#[test]
fn mistakes_are_named() {
    let (tests, clean, other, metric) = planted();
    let pair = tests.from(&other).into(&clean).unwrap();
    let far = [CircuitPart::Head { layer: 7, head: 0 }];
    assert_eq!(
        pair.scores(far, &metric).unwrap_err().to_string(),
        "circuit_tests: the model has no L7H0; it has 2 layers with 2 heads and an MLP each"
    );
    assert_eq!(
        pair.sufficiency::<CircuitPart>([], 9, 0.9, &metric).unwrap_err().to_string(),
        "circuit_tests: a circuit of 0 of 6 parts has no random circuit beside it; give some parts, not all"
    );
    assert_eq!(
        pair.sufficiency(built_from(), 9, 1.0, &metric).unwrap_err().to_string(),
        "circuit_tests: the quantile is 1; give a number between 0 and 1, such as 0.9"
    );
    assert_eq!(
        pair.equivalence(built_from(), 0.5, &metric).unwrap_err().to_string(),
        "circuit_tests: epsilon is 0.5; give a number between 0 and 0.5, such as 0.1"
    );
    assert!(
        Independence::of(&[1.0; 6], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 9, 0)
            .unwrap_err()
            .to_string()
            .contains("most prompts are equal")
    );
    assert!(
        hsic(&[1.0, 2.0], &[1.0, 2.0])
            .unwrap_err()
            .to_string()
            .contains("2 prompts cannot show a dependence; give at least 4")
    );
}
