//! A trained model on its own prompts: forward, greedy text, losses of sentences, a row of repeated tokens.

use arrakis_models::model::HookedTransformer;
use arrakis_models::tokens::Tokens;

use super::compare::{Comparer, Ours};
use super::forward::Forward;
use super::generation::{Expected, continuation};
use crate::error::Result;

/// Tables of this kind come from an analysis of attention, not from a forward.
const STUDY: &str = "it belongs to a study of heads, which has its own tools";

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    for item in items(comparer, "prompt") {
        prompt(comparer, model, item)?;
    }
    for item in items(comparer, "sentence") {
        sentence(comparer, model, item)?;
    }
    repeated(comparer, model)
}

/// The numbers `N` for which `kind.N.input_ids` exists, in order.
fn items(comparer: &Comparer<'_>, kind: &str) -> Vec<usize> {
    let number = |name: &str| name.strip_prefix(kind)?.strip_prefix('.')?.strip_suffix(".input_ids")?.parse().ok();
    let mut items: Vec<usize> = comparer.reference.names().filter_map(number).collect();
    items.sort_unstable();
    items
}

fn prompt(comparer: &mut Comparer<'_>, model: &HookedTransformer, item: usize) -> Result<()> {
    let section = format!("prompt.{item}.");
    let Some(ids) = ids(comparer, &section)? else { return Ok(()) };
    tokenized(
        comparer,
        model,
        &["prompts", &item.to_string(), "text"],
        &format!("{section}input_ids (from text)"),
        &ids,
    );
    let greedy = format!("{section}greedy_ids");
    if let Some(expected) = comparer.reference.row(&greedy)? {
        comparer.uses(&greedy);
        continuation(
            comparer,
            model,
            &ids,
            &Expected { quantity: &greedy, ids: &expected, logits: Some(&format!("{section}greedy_logits")) },
        )?;
    }
    let forward = Forward::of(model, Tokens::new(vec![ids])?)?;
    let names = comparer.unseen(&section);
    forward.check(comparer, &section, &names, None)
}

fn sentence(comparer: &mut Comparer<'_>, model: &HookedTransformer, item: usize) -> Result<()> {
    let section = format!("sentence.{item}.");
    let Some(ids) = ids(comparer, &section)? else { return Ok(()) };
    tokenized(
        comparer,
        model,
        &["sentences", &item.to_string(), "text"],
        &format!("{section}input_ids (from text)"),
        &ids,
    );
    let tokens = Tokens::new(vec![ids])?;
    let losses = arrakis_models::device::read(model.loss_per_token(model.forward(&tokens)?, &tokens)?)?;
    let shape = [losses.len()];
    comparer.check(&format!("{section}loss_per_token"), &Ours::new(losses, &shape));
    Ok(())
}

fn repeated(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    if let Some(row) = comparer.reference.row("repeated.input_ids")? {
        comparer.uses("repeated.input_ids");
        if comparer.reference.numbers("repeated.logits_row0").is_some() {
            let logits = arrakis_models::hooks::Activation::new(model.forward(row)?);
            comparer.check("repeated.logits_row0", &Ours::read(&logits)?);
        }
    }
    let studies = ["repeated.", "induction.", "ioi."];
    for name in comparer.reference.names().filter(|name| studies.iter().any(|study| name.starts_with(study))) {
        if !comparer.has_seen(name) {
            comparer.skip(name, STUDY);
        }
    }
    Ok(())
}

fn ids(comparer: &mut Comparer<'_>, section: &str) -> Result<Option<Vec<u32>>> {
    let name = format!("{section}input_ids");
    comparer.uses(&name);
    comparer.reference.row(&name)
}

/// If the notes have the text and the model has a tokenizer, the text must give the ids.
pub(super) fn tokenized(
    comparer: &mut Comparer<'_>,
    model: &HookedTransformer,
    path: &[&str],
    quantity: &str,
    ids: &[u32],
) {
    let text = path.iter().try_fold(comparer.reference.info(), |value, key| match key.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(*key),
    });
    let Some(text) = text.and_then(|text| text.as_str()) else { return };
    if model.tokenizer().is_err() {
        return comparer.skip(quantity, "the model has no tokenizer");
    }
    match model.to_tokens(text) {
        Ok(ours) => comparer.check_ids(quantity, &ours, ids),
        Err(error) => comparer.fail(quantity, error.to_string()),
    }
}
