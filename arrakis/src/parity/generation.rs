//! Greedy continuations, with and without the cache of keys and values.

use arrakis_models::generate::Generation;
use arrakis_models::model::HookedTransformer;

use super::compare::{Comparer, Ours};
use crate::error::Result;

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let (Some(ids), Some(prompt)) = (comparer.reference.row("generate.ids")?, comparer.reference.row("input_ids")?)
    else {
        return Ok(());
    };
    comparer.uses("generate.ids");
    continuation(
        comparer,
        model,
        &prompt,
        &Expected { quantity: "generate.ids", ids: &ids, logits: Some("generate.logits") },
    )
}

/// A greedy continuation of the reference.
pub(super) struct Expected<'a> {
    /// The name of its ids in the report.
    pub(super) quantity: &'a str,
    /// Prompt and continuation.
    pub(super) ids: &'a [u32],
    /// The name of the logits that each token was chosen from, `[step, d_vocab]`.
    pub(super) logits: Option<&'a str>,
}

/// Continues a prompt both ways and compares the ids, which must be equal, and the logits.
pub(super) fn continuation(
    comparer: &mut Comparer<'_>,
    model: &HookedTransformer,
    prompt: &[u32],
    expected: &Expected<'_>,
) -> Result<()> {
    for (use_cache, way) in [(true, "cached"), (false, "uncached")] {
        // A reference has a fixed number of tokens, also past the end of a text.
        let steps = expected.ids.len().saturating_sub(prompt.len());
        let how = Generation::greedy(steps).use_cache(use_cache).ignore_eos();
        let made = model.generate(prompt, &how)?;
        comparer.check_ids(&format!("{} ({way})", expected.quantity), &made.ids[0], expected.ids);
        if let Some((name, theirs)) = expected.logits.and_then(|name| Some((name, comparer.reference.numbers(name)?))) {
            comparer.uses(name);
            let values = made.logits_of_row(0)?;
            comparer.check_against(
                &format!("{name} ({way})"),
                &Ours::new(values, &[made.steps.len(), model.config().d_vocab]),
                theirs,
            );
        }
    }
    Ok(())
}
