use arrakis_macros::{test_hypothesis, use_tools};
use arrakis_models::Tokens;
use serde_json::Value;

use super::*;
use crate::bench::Bench;
use crate::tools::intervene::path_patching::{HeadInput, PathPatching, Through};
use crate::tools::testing::{checkpoint, close, fixture, induction_model};

/// The metric and the prompts of the fixture of path patching: one token differs.
fn case(model: &HookedTransformer) -> (CircuitTests, Tokens, Tokens, Metric) {
    let tokens = |ids: [u32; 5]| Tokens::new(vec![ids.to_vec()]).unwrap();
    let tests = CircuitTests::new(model).unwrap();
    (tests, tokens([34, 17, 30, 49, 82]), tokens([34, 17, 29, 49, 82]), Metric::logit_diff(63, 25))
}

fn without(tests: &CircuitTests, cut: impl Fn(&CircuitEdge) -> bool) -> Vec<CircuitEdge> {
    tests.edges().into_iter().filter(|edge| !cut(edge)).collect()
}

#[test]
fn scores_are_those_of_transformer_lens() {
    let reference = include_str!("../../../../../tests/fixtures/circuit_tests/edges.json");
    let reference: Value = serde_json::from_str(reference).unwrap();
    let (tests, source, target, metric) = case(&fixture("gpt2"));
    let pair = tests.from(&source).into(&target).unwrap();
    assert_eq!(tests.edges().len() as u64, reference["count"].as_u64().unwrap());
    close(pair.scores(tests.edges(), &metric).unwrap()[0], reference["whole"].as_f64().unwrap(), 1e-4);
    for circuit in reference["circuits"].as_array().unwrap() {
        let labels: Vec<&str> =
            circuit["edges"].as_array().unwrap().iter().map(|edge| edge.as_str().unwrap()).collect();
        let edges = without(&tests, |edge| !labels.contains(&edge.to_string().as_str()));
        assert_eq!(edges.len(), labels.len());
        close(pair.scores(edges, &metric).unwrap()[0], circuit["score"].as_f64().unwrap(), 1e-4);
    }
}

/// Models whose heads share keys, whose MLPs read beside attention, and whose attention is normed after its sum.
const KINDS: [&str; 4] = ["tl/llama", "tl/gpt_neox", "parity/gemma2", "parity/olmo2"];

#[test]
fn one_cut_edge_is_a_direct_path_that_is_patched() {
    // The last one norms the queries of all heads together, so that each reads the others' edges too.
    for name in &KINDS[..3] {
        let model = checkpoint(name);
        let (tests, source, target, metric) = case(&model);
        let (pair, paths) = (tests.from(&source).into(&target).unwrap(), PathPatching::new(&model).unwrap());
        let paths = paths.from(&source).into(&target).unwrap();
        let senders = [Sender::resid(0), Sender::head(0, 1), Sender::mlp(0)];
        let inputs = [HeadInput::Query, HeadInput::Key, HeadInput::Value].map(|input| Receiver::head(-1, 0, input));
        let receivers = inputs.into_iter().chain([Receiver::mlp(-1), Receiver::logits()]);
        let mut moved = 0;
        for (sender, receiver) in receivers.flat_map(|receiver| senders.map(|sender| (sender, receiver))) {
            let cut = tests.edges_between([sender], [receiver]).unwrap();
            let found = pair.scores(without(&tests, |edge| cut.contains(edge)), &metric).unwrap()[0];
            let expected = paths.paths([sender], [receiver], Through::Stream, &metric).unwrap();
            close(found, expected.values.values[0][0], 1e-4);
            moved += usize::from((found - expected.baseline).abs() > 1e-4);
        }
        assert!(moved > 5, "{name}: {moved}");
    }
}

#[test]
fn all_edges_out_of_a_part_are_the_part() {
    for name in KINDS {
        let model = checkpoint(name);
        let (tests, source, target, metric) = case(&model);
        let pair = tests.from(&source).into(&target).unwrap();
        for part in tests.parts().into_iter().step_by(2) {
            let edges = pair.scores(without(&tests, |edge| edge.from == Some(part)), &metric).unwrap()[0];
            let parts = tests.parts().into_iter().filter(|other| *other != part);
            close(edges, pair.scores(parts, &metric).unwrap()[0], 1e-4);
        }
        let clean = metric.values(&model, &target).unwrap();
        assert_eq!(pair.scores(tests.edges(), &metric).unwrap(), clean, "{name}");
        let corrupted = metric.values(&model, &source).unwrap()[0];
        close(pair.scores::<CircuitEdge>([], &metric).unwrap()[0], corrupted, 1e-4);
    }
}

/// The model that copies what followed a token, with its prompts and others.
fn planted(tests: &CircuitTests) -> Result<(PatchInto<'_, CircuitTests>, Metric)> {
    let rows = |of: &dyn Fn(u32) -> Vec<u32>| Tokens::new((0..4).map(of).collect());
    let clean = rows(&|shift| vec![1 + shift, 4, 7, 2 + shift, 9, 1 + shift, 4, 7, 2 + shift])?;
    let other = rows(&|shift| vec![3 + shift, 5, 8, 6, 10, 3 + shift, 1, 4, 2 + shift])?;
    Ok((tests.from(&other).into(&clean)?, Metric::logit_diff(9, 10)))
}

/// Which token came before, as the key of the head that looks for it; which token it is, as its value; and what it says.
fn built_from(tests: &CircuitTests) -> Result<Vec<CircuitEdge>> {
    let (embeddings, previous, copying) = (Sender::resid(0), Sender::head(0, 1), Sender::head(1, 0));
    let edges = [
        (embeddings, Receiver::head(0, 1, HeadInput::Value)),
        (previous, Receiver::head(1, 0, HeadInput::Key)),
        (embeddings, Receiver::head(1, 0, HeadInput::Value)),
        (copying, Receiver::logits()),
    ];
    let found: Result<Vec<Vec<CircuitEdge>>> =
        edges.into_iter().map(|(from, into)| tests.edges_between([from], [into])).collect();
    Ok(found?.concat())
}

/// The same, with the query of the head that copies in place of its key.
fn by_the_query(tests: &CircuitTests) -> Result<Vec<CircuitEdge>> {
    let query = tests.edges_between([Sender::head(0, 1)], [Receiver::head(1, 0, HeadInput::Query)])?;
    let others = |edge: &CircuitEdge| !matches!(edge.into, EdgeEnd::Head { input: HeadInput::Key, .. });
    Ok(built_from(tests)?.into_iter().filter(others).chain(query).collect())
}

#[test]
fn a_model_built_by_hand_has_the_edges_that_it_was_built_from() {
    let tests = CircuitTests::new(&induction_model()).unwrap();
    let ((pair, metric), circuit) = (planted(&tests).unwrap(), built_from(&tests).unwrap());
    let labels: Vec<String> = circuit.iter().map(ToString::to_string).collect();
    assert_eq!(labels, ["embeddings → L0H1.v", "L0H1 → L1H0.k", "embeddings → L1H0.v", "L1H0 → logits"]);
    let equal = pair.equivalence(circuit.clone(), 0.1, &metric).unwrap();
    assert!(equal.differences.iter().all(|change| change.abs() < 1e-3), "{equal:?}");
    let minimal = pair.minimality(circuit.clone(), 0.5, &metric).unwrap();
    assert!(minimal.iter().all(|edge| edge.p_corrected == 1.0 && edge.effect > 0.01), "{minimal:?}");
    assert!(pair.partial_necessity(circuit, 60, 0.5, &metric).unwrap().p_value < 0.01);
    let wrong = pair.equivalence(by_the_query(&tests).unwrap(), 0.1, &metric).unwrap();
    assert!(wrong.differences.iter().all(|change| *change > 0.5), "{wrong:?}");
}

#[use_tools]
#[test_hypothesis(
    claim = "four edges are more faithful than half of all sets of four", null = 0.5, alternative = Greater, test = Binomial,
    statistic = |found| found.wins.clone(), bench = Bench::new(induction_model())
)]
fn four_edges_are_enough(_bench: &Bench, #[tool] tests: CircuitTests) -> Result<Wins> {
    let (pair, metric) = planted(&tests)?;
    pair.sufficiency(built_from(&tests)?, 60, 0.5, &metric)
}

#[test]
fn edges_that_do_not_exist_are_named() {
    let (tests, source, target, metric) = case(&fixture("gpt2"));
    let pair = tests.from(&source).into(&target).unwrap();
    let said = |edge: CircuitEdge| pair.scores([edge], &metric).unwrap_err().to_string();
    let head = |layer, head| Some(CircuitPart::Head { layer, head });
    let key = |layer, head| EdgeEnd::Head { layer, head, input: HeadInput::Key };
    assert_eq!(
        said(CircuitEdge { from: head(1, 0), into: key(1, 2) }),
        "circuit_tests: there is no edge L1H0 → L1H2.k: the first writes after the second has read"
    );
    let config = fixture("gpt2").config().clone();
    let (layers, heads) = (config.n_layers, config.n_heads);
    assert_eq!(
        said(CircuitEdge { from: None, into: key(1, 99) }),
        format!(
            "circuit_tests: the model has no L1H99.k to run into; it has {layers} layers with {heads} heads, {heads} key \
             heads and an MLP each"
        )
    );
    assert_eq!(
        said(CircuitEdge { from: head(77, 0), into: EdgeEnd::Logits }),
        format!("circuit_tests: the model has no L77H0; it has {layers} layers with {heads} heads and an MLP each")
    );
    let between = |sender, receiver| tests.edges_between([sender], [receiver]).unwrap_err().to_string();
    assert_eq!(
        between(Sender::head(0, 0).at(-1), Receiver::logits()),
        "circuit_tests: `L0H0@-1` has a position, and an edge is of all positions; leave `at` out"
    );
    assert_eq!(
        between(Sender::resid(1), Receiver::logits()),
        "circuit_tests: `L1 resid` is a sum of what parts write, and an edge is of one part; name heads and MLPs"
    );
    assert_eq!(
        between(Sender::mlp(1), Receiver::mlp(1)),
        "circuit_tests: no sender writes before a receiver reads, so there is no edge between them"
    );
    assert_eq!(tests.edges_between([Sender::mlp(0)], [Receiver::head(1, 2, HeadInput::All)]).unwrap().len(), 3);
    let (tests, source, target, metric) = case(&checkpoint("parity/bert"));
    let pair = tests.from(&source).into(&target).unwrap();
    assert_eq!(
        pair.scores(tests.edges(), &metric).unwrap_err().to_string(),
        "circuit_tests: the stream of this model is normed after each addition, so it is no sum of what parts write and has no \
         edges; give parts"
    );
}
