//! A plain forward on `input_ids`, and the same without mask and token types.

use arrakis_models::model::HookedTransformer;

use super::compare::{Comparer, Ours};
use super::forward::Forward;
use super::inputs::Inputs;
use crate::error::Result;

/// Sections that other parts compare.
const ELSEWHERE: [&str; 10] =
    ["padded.", "nomask.", "generate.", "prompt.", "sentence.", "repeated.", "facts.", "induction.", "ioi.", "grad_"];

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let Some(inputs) = Inputs::of(comparer.reference, model)? else { return Ok(()) };
    Inputs::used(comparer);
    let forward = Forward::of(model, inputs.tokens.clone())?;
    if comparer.reference.numbers("loss").is_some() {
        let loss = inputs.loss(model, forward.logits.clone())?;
        comparer.check("loss", &Ours::new(arrakis_models::device::read(loss)?, &[]));
    }
    let names: Vec<&str> = comparer
        .unseen("")
        .into_iter()
        .filter(|name| !ELSEWHERE.iter().any(|section| name.starts_with(section)))
        .collect();
    forward.check(comparer, "", &names, inputs.counts())?;
    for name in expected(model.config().n_layers) {
        if comparer.reference.numbers(&name).is_none() {
            comparer.lacks(name);
        }
    }
    unmasked(comparer, model)
}

/// `nomask.*`: the ids alone, without padding, all of type 0.
fn unmasked(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let names = comparer.unseen("nomask.");
    let Some(tokens) = comparer.reference.tokens("input_ids")?.filter(|_| !names.is_empty()) else { return Ok(()) };
    Forward::of(model, tokens)?.check(comparer, "nomask.", &names, None)
}

/// The tensors that every reference of a forward has.
fn expected(n_layers: usize) -> Vec<String> {
    let mut names = vec!["logits".to_owned(), "loss".to_owned()];
    names.extend((0..=n_layers).map(|layer| format!("hidden_states.{layer}")));
    names.extend((0..n_layers).map(|layer| format!("attentions.{layer}")));
    names
}
