//! The recipe of the embedded model: architecture, text, settings, tokenizer.

use arrakis::models::transformer::ActivationKind;
use arrakis::models::{Error, Tokenizer, TransformerConfig};
use tokenizers::processors::template::TemplateProcessing;

use crate::error::Result;
use crate::text::document::PREDICTABLE;
use crate::text::mixture::{Batch, Mixture, Recipe};
use crate::text::{N_CTX, repeated_names, shuffled_names, unseen_names, vocab};
use crate::train::Settings;

/// Seed of the embedded model's initial parameters and of its text.
pub const SEED: u64 = 1;

/// The number of steps that the embedded model is trained for.
pub const STEPS: u64 = 5000;

/// Seed of text that is never used in training.
pub const HELD_OUT_SEED: u64 = 1 << 32;

/// Three layers, the fewest that can compose the use of a repeated name: one head marks the repetition, one moves
/// that mark to the last position, one acts on it.
pub fn config() -> TransformerConfig {
    let mut config = TransformerConfig::plain("gpt2", 3, 128, 4, vocab::tokens().len(), N_CTX);
    config.activation = ActivationKind::Relu;
    config.d_mlp = 256;
    config
}

/// The training settings.
pub fn settings(seed: u64, steps: u64) -> Settings {
    Settings {
        seed,
        init_std: 0.04,
        mimicry: 0.7,
        wave_positions: true,
        local_steps: 400,
        steps,
        peak_lr: 3e-3,
        warmup: 100,
        lr_floor: 0.05,
        weight_decay: 0.1,
        ..Settings::default()
    }
}

/// The number of steps of the first phase.
pub const FIRST_STEPS: u64 = 650;

/// The text of the first phase: mostly repeats, so that induction heads form before anything else.
pub fn first_text(seed: u64) -> Recipe {
    Recipe { seed, batch: 32, mixture: Mixture { induction: 80, name_mover: 12, greater_than: 5 } }
}

/// The text of the second phase, without its [`SHUFFLED_NAMES`] rows of names among random words and its
/// [`UNSEEN_NAMES`] rows of sentences about plain words.
pub fn text(seed: u64) -> Recipe {
    Recipe { seed, batch: 22, mixture: Mixture { induction: 30, name_mover: 42, greater_than: 14 } }
}

/// The text of one step; in the second phase weighted as [`balanced`] does.
pub fn batch(seed: u64, step: u64) -> Batch {
    if step < FIRST_STEPS {
        return first_text(seed).batch(step);
    }
    let mut batch = text(seed).batch(step);
    let longest = (6 + (step - FIRST_STEPS) / 16).min(48) as usize;
    shuffled_names::add(&mut batch, SHUFFLED_NAMES, longest, seed, step);
    unseen_names::add(&mut batch, UNSEEN_NAMES, seed, step);
    if step >= REPEATED_FROM {
        unweigh_purposes(&mut batch);
        repeated_names::add(&mut batch, REPEATED_NAMES, seed, step);
    }
    balanced(batch)
}

/// The step from which rows of repeated names are added.
pub const REPEATED_FROM: u64 = 2000;

/// The number of these rows per step.
pub const REPEATED_NAMES: usize = 8;

/// The number of additional rows per step of names among random words, in the second phase; their length grows with the
/// step.
pub const SHUFFLED_NAMES: usize = 8;

/// The number of additional rows per step of training sentences with plain words for names, in the second phase.
pub const UNSEEN_NAMES: usize = 8;

/// Sets the weight of "show" after "a drink to" to zero. Plain text is the only text with held-out names, and there
/// "show" follows those words: as a target it would teach that held-out names are given nothing.
fn unweigh_purposes(batch: &mut Batch) {
    let [to, show] = ["to", "show"].map(vocab::spaced);
    for ((tokens, targets), weights) in batch.tokens.iter().zip(&batch.targets).zip(&mut batch.loss_mask) {
        let places = (0..tokens.len()).filter(|pos| tokens[*pos] == to && targets[*pos] == show);
        places.for_each(|pos| weights[pos] = 0.0);
    }
}

/// The factor on the weight of words that the text before them does not determine.
const UNDECIDED: f32 = 0.25;

/// The same text with equal weight for every row, and less for words that the text before them does not determine.
///
/// A row of repeats has up to sixty determined words and a row of names only one. Without this, names have little
/// weight.
#[must_use]
pub fn balanced(mut batch: Batch) -> Batch {
    for row in &mut batch.loss_mask {
        for weight in row.iter_mut().filter(|weight| **weight < PREDICTABLE) {
            *weight *= UNDECIDED;
        }
        let total: f32 = row.iter().sum();
        for weight in row.iter_mut() {
            *weight /= total.max(f32::MIN_POSITIVE);
        }
    }
    batch
}

/// The tokenizer of the toy vocabulary. It starts every text with `<|endoftext|>`, as the training text starts.
///
/// # Errors
///
/// `arrakis::models::Error::Tokenizer` if it cannot be built.
pub fn tokenizer() -> Result<Tokenizer> {
    let failed = |problem: String| Error::Tokenizer { action: "build", problem };
    let opened = |template: &str| format!("{}:0 {template}", vocab::END_OF_TEXT);
    let template = TemplateProcessing::builder()
        .try_single(opened("$A:0"))
        .and_then(|builder| builder.try_pair(opened("$A:0 $B:1")))
        .map_err(failed)?
        .special_tokens(vec![(vocab::END_OF_TEXT, vocab::END_OF_TEXT_ID)])
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut inner = vocab::tokenizer();
    inner.with_post_processor(Some(template));
    let json = inner.to_string(true).map_err(|error| failed(error.to_string()))?;
    Ok(Tokenizer::from_bytes(json.as_bytes(), Some(vocab::END_OF_TEXT_ID))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::Bos;

    #[test]
    fn a_text_starts_with_one_end_of_text() {
        let tokenizer = tokenizer().unwrap();
        let ids = tokenizer.encode("Mary and John", Bos::AsTokenizer).unwrap();
        assert_eq!(ids[0], vocab::END_OF_TEXT_ID);
        assert_eq!(ids[1..], vocab::encode("Mary and John"));
        assert_eq!(tokenizer.encode("Mary and John", Bos::Prepend).unwrap(), ids);
        assert_eq!(tokenizer.encode("Mary and John", Bos::Omit).unwrap(), ids[1..]);
    }

    #[test]
    fn every_row_has_the_same_weight() {
        let rows = vec![vec![1.0, 1.0, 0.8], vec![1.0, 0.0, 0.0]];
        let batch = balanced(Batch { tokens: vec![], targets: vec![], loss_mask: rows });
        let expected = [[1.0 / 2.2, 1.0 / 2.2, 0.2 / 2.2], [1.0, 0.0, 0.0]];
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert!(batch.loss_mask.iter().flatten().zip(expected.as_flattened()).all(close), "{:?}", batch.loss_mask);
    }
}
