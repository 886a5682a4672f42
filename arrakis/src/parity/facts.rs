//! The plain runs of a study of a language model; their token ids are in the notes, the JSON file next to the
//! reference.

use arrakis_models::hooks::Activation;
use arrakis_models::model::HookedTransformer;
use arrakis_models::tokens::Tokens;
use burn::tensor::Tensor;
use serde_json::Value;

use super::Numbers;
use super::compare::{Comparer, Ours};
use super::forward::{Forward, Found, bad_input};
use super::generation::{Expected, continuation};
use super::prompts::tokenized;
use crate::error::Result;

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let info = comparer.reference.info().clone();
    for (item, fact) in info.get("facts").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if let Some(ids) = ids(comparer, fact)? {
            tokenized(
                comparer,
                model,
                &["facts", &item.to_string(), "prompt"],
                &format!("facts.{item}.tokens (from text)"),
                &ids,
            );
            run(comparer, model, item, ids)?;
        }
    }
    for name in comparer.unseen("facts.") {
        comparer.skip(name, "the notes next to the file do not give the tokens it was computed from");
    }
    text(comparer, model, &info)?;
    greedy(comparer, model, &info)
}

fn run(comparer: &mut Comparer<'_>, model: &HookedTransformer, item: usize, ids: Vec<u32>) -> Result<()> {
    let forward = Forward::of(model, Tokens::new(vec![ids])?)?;
    let last = format!("facts.{item}.logits_last");
    if comparer.reference.numbers(&last).is_some() {
        let [_, pos, _] = forward.logits.dims();
        comparer.check(&last, &Ours::read(&Activation::new(forward.logits.clone().narrow(1, pos - 1, 1)))?);
    }
    for kind in ["hidden_states", "attentions"] {
        stacked(comparer, &forward, &format!("facts.{item}.{kind}"), kind)?;
    }
    Ok(())
}

/// A tensor with the layers on its first axis. It is compared layer by layer, so that the first to differ shows.
fn stacked(comparer: &mut Comparer<'_>, forward: &Forward<'_>, name: &str, kind: &str) -> Result<()> {
    let reference = comparer.reference;
    let Some(Numbers { shape, values }) = reference.numbers(name) else { return Ok(()) };
    comparer.uses(name);
    let Some((layers, inner)) = shape.split_first().filter(|(layers, _)| **layers > 0) else {
        comparer.fail(name, format!("the reference has shape {shape:?}, without layers"));
        return Ok(());
    };
    for (layer, theirs) in values.chunks(values.len() / layers).enumerate() {
        let theirs = Numbers { shape: inner.to_vec(), values: theirs.to_vec() };
        let quantity = format!("{name}.{layer}");
        match forward.find(&format!("{kind}.{layer}"), reference)? {
            Found::Ours(ours, note) => comparer.check_against(&quantity, &Ours { note, ..Ours::read(&ours)? }, &theirs),
            Found::Nothing(why) | Found::Wrong(why) => comparer.fail(&quantity, why),
        }
    }
    Ok(())
}

fn text(comparer: &mut Comparer<'_>, model: &HookedTransformer, info: &Value) -> Result<()> {
    let Some(text) = info.get("text") else { return Ok(()) };
    let (Some(ids), Some(loss)) = (ids(comparer, text)?, text.get("loss").and_then(Value::as_f64)) else {
        return Ok(());
    };
    tokenized(comparer, model, &["text", "text"], "text.tokens (from text)", &ids);
    let tokens = Tokens::new(vec![ids])?;
    let ours: Tensor<1> = model.loss(model.forward(&tokens)?, &tokens)?;
    comparer.check_against(
        "text.loss",
        &Ours::new(arrakis_models::device::read(ours)?, &[]),
        &Numbers { shape: Vec::new(), values: vec![loss as f32] },
    );
    Ok(())
}

/// The prompt is the first of the facts whose tokens the continuation starts with.
fn greedy(comparer: &mut Comparer<'_>, model: &HookedTransformer, info: &Value) -> Result<()> {
    let Some(greedy) = info.get("greedy") else { return Ok(()) };
    let Some(expected) = ids(comparer, greedy)? else { return Ok(()) };
    let facts = info.get("facts").and_then(Value::as_array).into_iter().flatten();
    let prompt = facts
        .filter_map(|fact| ids(comparer, fact).ok().flatten())
        .find(|ids| !ids.is_empty() && expected.starts_with(ids));
    if let Some(prompt) = prompt {
        return continuation(
            comparer,
            model,
            &prompt,
            &Expected { quantity: "greedy.tokens", ids: &expected, logits: None },
        );
    }
    comparer.skip("greedy.tokens", "the notes next to the file do not say where the prompt ends");
    Ok(())
}

/// The `tokens` of one part of the notes.
fn ids(comparer: &Comparer<'_>, part: &Value) -> Result<Option<Vec<u32>>> {
    let Some(tokens) = part.get("tokens").and_then(Value::as_array) else { return Ok(None) };
    let ids: Option<Vec<u32>> =
        tokens.iter().map(|token| token.as_u64().and_then(|id| u32::try_from(id).ok())).collect();
    ids.map(Some).ok_or_else(|| {
        bad_input(comparer.reference, "`tokens` in the notes next to it contains something that is not a token id")
    })
}
