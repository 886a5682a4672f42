//! Draws prompts of a built-in set that a model's tokenizer reads as the set needs them.

use std::collections::BTreeSet;

use arrakis_models::HookedTransformer;

use super::draw::Draw;
use super::misfit::misfit;
use super::{Known, KnownPrompt, PromptSet};
use crate::error::{Error, Result};

/// How many prompts are tried for each that is asked for.
const TRIES: usize = 200;

impl PromptSet {
    /// Draws `count` distinct prompts for the train side of a built-in set and as many for the held-out side, the same for
    /// the same seed.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] if the tokenizer does not read enough prompts as the set needs them: it says why the last one was left
    /// out.
    pub fn draw(known: Known, model: &HookedTransformer, count: usize, seed: u64) -> Result<Self> {
        let mut prompts = Vec::with_capacity(2 * count);
        for side in [0, 1] {
            prompts.extend(one_side(known, model, count, &mut Draw::new(seed, side))?);
        }
        Ok(Self { name: known.name().to_owned(), prompts })
    }
}

fn one_side(known: Known, model: &HookedTransformer, count: usize, draw: &mut Draw) -> Result<Vec<KnownPrompt>> {
    let (mut found, mut seen, mut last) = (Vec::new(), BTreeSet::new(), "it repeats another prompt".to_owned());
    for _ in 0..count * TRIES {
        if found.len() == count {
            break;
        }
        let prompt = KnownPrompt { held_out: draw.is_held_out(), ..known.make(draw) };
        match misfit(model, &prompt) {
            Some(problem) => last = problem,
            None if seen.insert(prompt.clean.clone()) => found.push(prompt),
            None => {}
        }
    }
    if found.len() == count {
        return Ok(found);
    }
    let problem = format!(
        "{} of {count} prompts of `{}` fit the tokenizer of `{}`; the last other one did not: {last}; ask for fewer, or \
         use another set or model",
        found.len(),
        known.name(),
        model.name()
    );
    Err(Error::Value { of: "PromptSet", problem })
}
