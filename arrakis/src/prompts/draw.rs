//! Draws prompts of a built-in set that a model's tokenizer reads as the set needs them.

use std::collections::BTreeSet;

use arrakis_models::HookedTransformer;
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Known, KnownPrompt, PromptSet};
use crate::error::{Error, Result};

/// How many prompts are tried for each that is asked for.
const TRIES: usize = 200;

/// The words and the chance that a prompt is made of.
pub(super) struct Draw {
    rng: ChaCha8Rng,
    /// 0 for the train side, 1 for the held-out side.
    side: usize,
}

impl Draw {
    /// One of them.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).expect("BUG: no list of a built-in set is empty")
    }

    /// So many different ones, in random order.
    pub(super) fn some<T: Copy>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut all = of.to_vec();
        all.shuffle(&mut self.rng);
        all.truncate(count);
        all
    }

    /// What belongs to the side that is drawn.
    pub(super) fn side<T>(&self, sides: [T; 2]) -> T {
        let [train, held_out] = sides;
        if self.side == 0 { train } else { held_out }
    }
}

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
            let mut draw = Draw { rng: ChaCha8Rng::seed_from_u64(seed), side };
            draw.rng.set_stream(side as u64);
            prompts.extend(one_side(known, model, count, &mut draw)?);
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
        let prompt = KnownPrompt { held_out: draw.side == 1, ..known.make(draw) };
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

/// Why a model's tokenizer does not read the prompt as a set needs it.
pub(super) fn misfit(model: &HookedTransformer, prompt: &KnownPrompt) -> Option<String> {
    let KnownPrompt { clean, corrupted, answer, wrong, .. } = prompt;
    for answer in [answer, wrong] {
        if let Err(error) = model.to_single_token(answer) {
            return Some(error.to_string());
        }
    }
    let mut lengths = Vec::new();
    for text in [clean, corrupted] {
        let ids = match model.to_tokens(text) {
            Ok(ids) => ids,
            Err(error) => return Some(error.to_string()),
        };
        // A word that the tokenizer does not know would be lost.
        if !model.decode(&ids).is_ok_and(|read| read.contains(text)) {
            return Some(format!("the tokenizer does not know a word of `{text}`"));
        }
        lengths.push(ids.len());
    }
    let [clean, corrupted] = lengths[..] else { unreachable!("BUG: a prompt has two texts") };
    (clean != corrupted)
        .then(|| format!("`{}` has {clean} tokens, and its corrupted version {corrupted}", prompt.clean))
}
