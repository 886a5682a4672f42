//! A plain forward on `input_ids`.

use super::Comparer;
use super::forward::{Forward, loss};
use crate::error::Result;
use crate::model::HookedTransformer;

/// Sections other parts compare.
const ELSEWHERE: [&str; 9] =
    ["padded.", "generate.", "prompt.", "sentence.", "repeated.", "facts.", "induction.", "ioi.", "grad_"];

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let Some(tokens) = comparer.reference.tokens("input_ids")? else { return Ok(()) };
    comparer.uses("input_ids");
    let forward = Forward::of(model, tokens)?;
    if comparer.reference.numbers("loss").is_some() {
        comparer.check("loss", &loss(model, &forward)?);
    }
    let names: Vec<&str> = comparer
        .unseen("")
        .into_iter()
        .filter(|name| !ELSEWHERE.iter().any(|section| name.starts_with(section)))
        .collect();
    forward.check(comparer, "", &names, None)?;
    for name in expected(model.config().n_layers) {
        if comparer.reference.numbers(&name).is_none() {
            comparer.lacks(name);
        }
    }
    Ok(())
}

/// What every reference of a forward has.
fn expected(n_layers: usize) -> Vec<String> {
    let mut names = vec!["logits".to_owned(), "loss".to_owned()];
    names.extend((0..=n_layers).map(|layer| format!("hidden_states.{layer}")));
    names.extend((0..n_layers).map(|layer| format!("attentions.{layer}")));
    names
}
