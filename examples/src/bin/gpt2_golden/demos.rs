//! The numbers that TransformerLens's tests and demos print for GPT-2 small.

use arrakis::models::{HookedTransformer, Intervention, Tokens};
use arrakis::prelude::*;
use arrakis::tools::place::{Head, Neuron};
use arrakis_examples::{Expect, Golden};

use super::prompts::{Answer, answers, with_bos};

/// `tests/acceptance/test_hooked_transformer.py`.
const HELLO: &str = "Hello world!";
/// The main demo's paragraph.
const PARAGRAPH: &str = "## Loading Models\n\nHookedTransformer comes loaded with >40 open source GPT-style models. You can load any of them in with `HookedTransformer.from_pretrained(MODEL_NAME)`. See my explainer for documentation of all supported models, and this table for hyper-parameters and the name used to load them. Each model is loaded into the consistent HookedTransformer architecture, designed to be clean, consistent and interpretability-friendly. \n\nFor this demo notebook we'll look at GPT-2 Small, an 80M parameter model. To try the model the model out, let's find the loss on this paragraph!";
const SENTENCE: &str = "Natural language processing tasks, such as question answering, machine translation, reading comprehension, and summarization, are typically approached with supervised learning on taskspecific datasets.";
const CLEAN: &str = "After John and Mary went to the store, Mary gave a bottle of milk to";
const CORRUPTED: &str = "After John and Mary went to the store, John gave a bottle of milk to";

/// Four sentences; each is asked twice, once for each of the two names.
const EIGHT: [(&str, [&str; 2]); 4] = [
    ("When John and Mary went to the shops,{} gave the bag to", [" Mary", " John"]),
    ("When Tom and James went to the park,{} gave the ball to", [" Tom", " James"]),
    ("When Dan and Sid went to the shops,{} gave an apple to", [" Dan", " Sid"]),
    ("After Martin and Amy went to the park,{} gave a drink to", [" Martin", " Amy"]),
];
/// The logit differences of the eight, in nats.
const DIFFERENCES: [f64; 8] = [3.337, 3.202, 2.709, 3.797, 1.720, 5.281, 2.601, 5.767];
/// Direct contributions to `logit( Mary) - logit( John)` on the first of the eight, in nats.
const HEADS: [(usize, usize, f64); 8] = [
    (9, 9, 1.9583),
    (9, 6, 1.6281),
    (10, 7, -1.4267),
    (11, 1, -0.9117),
    (11, 10, -0.9042),
    (10, 0, 0.6370),
    (10, 10, 0.4524),
    (8, 10, 0.4264),
];
/// The neuron that contributes most to a logit there.
const NEURONS: [(&str, usize, usize, f64); 3] =
    [(" Mary", 11, 611, 0.3188), (" John", 11, 621, -0.4359), (" the", 10, 2214, 0.4369)];

/// Printed to three digits.
fn printed(value: f64) -> Expect {
    Expect::Near(value, 1e-3)
}

fn loss(model: &HookedTransformer, text: &str, edit: Option<(site::Site, Intervention)>) -> Result<f64> {
    let tokens = with_bos(model, &[text])?;
    let logits = model.run_with_hooks(&tokens, edit)?;
    Ok(f64::from(model.loss(logits, &tokens)?.read()?[0]))
}

/// Losses, with and without a head's values. `raw` has the weights as they are, `model` processed ones.
pub(crate) fn losses(raw: &HookedTransformer, model: &HookedTransformer) -> Result<Golden> {
    let zeroed = || Some((site::v(0), Intervention::zero().head(8)));
    let metric = Metric::logit_diff(" John", " Mary");
    let difference = |text: &str| Ok(metric.values(model, with_bos(model, &[text])?)?[0]) as Result<f64>;
    let hello = Expect::Near(5.331_855_773_925_781, 4e-5);
    Ok(Golden::new("Losses of TransformerLens's tests and main demo, nats")
        .row("`Hello world!`", "5.33186", loss(model, HELLO, None)?, hello)
        .row("a paragraph", "4.1758", loss(model, PARAGRAPH, None)?, printed(4.1758))
        .row("a sentence", "3.999", loss(model, SENTENCE, None)?, printed(3.999))
        .row("  without the values of L0H8", "5.453", loss(model, SENTENCE, zeroed())?, printed(5.453))
        .row("  the same, weights as they are", "4.117", loss(raw, SENTENCE, zeroed())?, printed(4.117))
        .row("logit( John) - logit( Mary), Mary gives", "4.276", difference(CLEAN)?, printed(4.276))
        .row("  John gives", "-2.738", difference(CORRUPTED)?, printed(-2.738)))
}

/// The eight prompts, each with the right and the wrong name.
fn eight() -> Vec<(String, [&'static str; 2])> {
    let both = |(sentence, names): &(&str, [&'static str; 2])| {
        let ask = |right: usize| (sentence.replace("{}", names[1 - right]), [names[right], names[1 - right]]);
        [ask(0), ask(1)]
    };
    EIGHT.iter().flat_map(both).collect()
}

/// Logit differences of the exploratory demo, and what writes them directly.
pub(crate) fn names(model: &HookedTransformer) -> Result<(Golden, ScoreTable)> {
    let eight = eight();
    let clean = with_bos(model, &eight.iter().map(|(text, _)| text).collect::<Vec<_>>())?;
    let swapped = with_bos(model, &(0..8).map(|at| &eight[at ^ 1].0).collect::<Vec<_>>())?;
    let metric = Metric::logit_diffs(eight.iter().map(|(_, names)| names[0]), eight.iter().map(|(_, names)| names[1]));
    let mean = |prompts: &Tokens| Ok(metric.values(model, prompts)?.iter().sum::<f64>() / 8.0) as Result<f64>;
    let mut golden = Golden::new("Eight prompts of TransformerLens's exploratory demo, logit differences in nats");
    for (found, right) in metric.values(model, &clean)?.into_iter().zip(DIFFERENCES) {
        golden = golden.row("prompt", format!("{right:.3}"), found, printed(right));
    }
    let golden = golden.row("mean", "3.552", mean(&clean)?, printed(3.552));
    let golden = golden.row("  names swapped", "-3.552", mean(&swapped)?, printed(-3.552));
    let dla = DirectLogitAttribution::new(model)?;
    Ok((next_token(model, golden)?, dla.heads(&clean, &metric)?))
}

fn next_token(model: &HookedTransformer, golden: Golden) -> Result<Golden> {
    let ids = [model.to_single_token(" Mary")?, model.to_single_token(" the")?];
    let read = |_, answer: &Answer<'_>| (ids.map(|id| answer.logit(id)), answer.probabilities(&ids));
    let ([mary, the], shares) = answers(model, &with_bos(model, &[CORRUPTED])?, read)?.remove(0);
    Ok(golden
        .row("logit( Mary) after `.. a bottle of milk to`", "18.09", mary, Expect::Near(18.09, 6e-3))
        .row("  probability", "0.7007", shares[0], Expect::Near(0.7007, 1e-4))
        .row("logit( the)", "15.38", the, Expect::Near(15.38, 6e-3))
        .row("  probability", "0.0467", shares[1], Expect::Near(0.0467, 1e-4)))
}

/// What single heads and neurons write, in the demo of direct logit attribution.
pub(crate) fn contributions(model: &HookedTransformer) -> Result<Golden> {
    let dla = DirectLogitAttribution::new(model)?;
    let prompt = with_bos(model, &[&eight()[0].0])?;
    let heads = dla.heads(&prompt, &Metric::logit_diff(" Mary", " John"))?;
    let mut golden = Golden::new("Direct logit attribution of TransformerLens's demo, nats");
    for (layer, head, right) in HEADS {
        let found = heads.get(&Head { layer, head }).unwrap_or(f64::NAN);
        golden = golden.row(format!("L{layer}H{head}"), format!("{right:+.4}"), found, printed(right));
    }
    for (token, layer, neuron, right) in NEURONS {
        let found = dla.neurons(&prompt, layer, &Metric::logit(token))?;
        let found = found.get(&Neuron { layer, neuron }).unwrap_or(f64::NAN);
        golden = golden.row(format!("L{layer}N{neuron} to `{token}`"), format!("{right:+.4}"), found, printed(right));
    }
    Ok(golden)
}
