use arrakis_models::Tokens;

use super::*;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, induction_model};

impl Readings for CausalScrubbing {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let classes = vec!["one"; cases.prompt.batch()];
        let found = self.scrub(&cases.prompt, [Node::head(1, 0, &classes)], 2, 0, &cases.metric);
        vec![Reading::numbers(
            "scrub",
            found.map(|found| [vec![found.scrubbed, found.random], found.per_prompt].concat()),
        )]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let classes = vec!["one"; cases.prompt.batch()];
        let nodes = [Node::head(1, 0, &classes).reading([Node::mlp(0, &classes)]), Node::mlp(1, &classes)];
        let call = move || self.scrub(&cases.prompt, nodes, 2, 0, &cases.metric);
        vec![Call::new("scrub", call).with([("draws", 2), ("nodes", 3)])]
    }
}

/// Rows of tokens that repeat, for the model that copies what followed: the last token is 2, and its answer followed it
/// before, at one of two places.
fn repeats() -> (Tokens, Vec<u32>) {
    let answers: Vec<u32> = (4..10).flat_map(|answer| [answer; 2]).collect();
    let row = |(at, answer): (usize, &u32)| {
        if at % 2 == 0 { vec![11, 1, 2, *answer, 3, 2] } else { vec![11, 2, *answer, 1, 3, 2] }
    };
    (Tokens::new(answers.iter().enumerate().map(row).collect()).unwrap(), answers)
}

fn scrubbing() -> CausalScrubbing {
    CausalScrubbing::new(&induction_model()).unwrap()
}

#[test]
fn the_hypothesis_that_the_model_was_built_from_recovers_its_behaviour() {
    let (tokens, answers) = repeats();
    let metric = Metric::logit_diffs(answers.iter().copied(), answers.iter().map(|answer| (answer + 1) % 12));
    // The second layer's head reads where each token was written by the first layer's head, so all of that head's
    // activations matter: every prompt is a class of its own there.
    let each: Vec<usize> = (0..answers.len()).collect();
    let found = |node: Node| scrubbing().scrub(&tokens, [node], 4, 1, &metric).unwrap();
    let right = found(Node::head(1, 0, &answers).reading([Node::head(0, 1, &each)]));
    close(right.recovered().unwrap(), 1.0, 1e-3);
    close(right.per_prompt[0], right.model, 0.2);
    let coarse = found(Node::head(1, 0, vec!["any"; answers.len()]).reading([Node::head(0, 1, &each)]));
    assert!(coarse.recovered().unwrap() < 0.5, "{coarse:?}");
    let unread = found(Node::head(1, 0, &answers));
    assert!(unread.recovered().unwrap() < 0.9, "{unread:?}");
    let elsewhere = found(Node::head(0, 0, &each));
    assert!(elsewhere.recovered().unwrap() < 0.5, "{elsewhere:?}");
}

#[test]
fn a_class_for_each_prompt_and_every_part_scrubs_nothing() {
    let (tokens, answers) = repeats();
    let each: Vec<usize> = (0..answers.len()).collect();
    let metric = Metric::logit_diffs(answers.iter().copied(), answers.iter().map(|answer| (answer + 1) % 12));
    let first = [Node::head(0, 0, &each), Node::head(0, 1, &each), Node::mlp(0, &each)];
    let second = [
        Node::head(1, 0, &each).reading(first.clone()),
        Node::head(1, 1, &each).reading(first.clone()),
        Node::mlp(1, &each).reading([Node::head(0, 0, &each), Node::head(0, 1, &each), Node::mlp(0, &each)]),
    ];
    let found = scrubbing().scrub(&tokens, first.into_iter().chain(second), 1, 0, &metric).unwrap();
    close(found.recovered().unwrap(), 1.0, 1e-4);
    let again = scrubbing().scrub(&tokens, [Node::head(1, 0, &answers)], 2, 3, &metric).unwrap();
    assert_eq!(again, scrubbing().scrub(&tokens, [Node::head(1, 0, &answers)], 2, 3, &metric).unwrap());
}

#[test]
fn mistakes_are_named() {
    let (tokens, answers) = repeats();
    let metric = Metric::logit_diff(4, 5);
    let refused = |node: Vec<Node>| scrubbing().scrub(&tokens, node, 1, 0, &metric).unwrap_err().to_string();
    assert_eq!(
        refused(vec![Node::head(2, 0, &answers)]),
        "causal_scrubbing: the model has no L2H0; it has 2 layers with 2 heads and an MLP each"
    );
    assert_eq!(
        refused(vec![Node::mlp(0, [1, 2])]),
        "causal_scrubbing: L0 mlp has 2 classes for 12 prompts; give one for each prompt"
    );
    assert_eq!(
        refused(vec![Node::mlp(0, &answers), Node::mlp(0, &answers)]),
        "causal_scrubbing: L0 mlp is read twice by one node; give each part once"
    );
    assert_eq!(
        refused(vec![Node::head(0, 0, &answers).reading([Node::mlp(0, &answers)])]),
        "causal_scrubbing: L0H0 cannot read L0 mlp, which does not come before it"
    );
    let none = scrubbing().scrub(&tokens, [], 0, 0, &metric).unwrap_err().to_string();
    assert_eq!(none, "causal_scrubbing: 0 draws scrub nothing; give at least 1");
    let tie = Scrubbed { model: 1.0, scrubbed: 1.0, random: 1.0, per_prompt: vec![1.0] };
    assert!(tie.recovered().unwrap_err().to_string().contains("so there is nothing to recover"));
}
