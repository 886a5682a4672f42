//! What was measured when a model was trained: the file `facts.json` beside its weights.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::exam::{self, NameRole};
use super::head_scores::{HeadScore, Repeats, head_scores};
use super::{Settings, recipe};
use crate::error::Result;
use crate::model::HookedTransformer;
use crate::toy::eval::Report;
use crate::toy::mixture::Recipe;
use crate::toy::{N_CTX, vocab, words};

/// The measured facts of a trained toy model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How it was trained.
    pub settings: Settings,
    /// What it was trained on in the first phase.
    pub first_text: Recipe,
    /// Steps of the first phase.
    pub first_steps: u64,
    /// What it was trained on from then on.
    pub text: Recipe,
    /// Rows of names among random words in every step from the second phase on.
    pub scattered_rows: usize,
    /// Rows of the training sentences with plain words for names in every step from the second phase on.
    pub stranger_rows: usize,
    /// Rows of names said again in every step from `echo_from` on.
    pub echo_rows: usize,
    /// See [`recipe::ECHO_FROM`].
    pub echo_from: u64,
    /// Steps done.
    pub steps: u64,
    /// Wall time of the whole training, in seconds.
    pub seconds: f64,
    /// The device it was trained on.
    pub device: String,
    /// How many numbers the parameters are.
    pub parameters: usize,
    /// Mean loss of the last hundred steps, in nats.
    pub train_loss: f64,
    /// Loss on text of a seed never trained on, in nats.
    pub held_out_loss: f64,
    /// The three tasks on held-out names, templates, years and sequences.
    pub tasks: Report,
    /// Attention of every head on repeated random words.
    pub heads: Vec<HeadScore>,
    /// Mean logit difference, right name minus subject, on held-out names and templates, in nats.
    pub logit_diff: f64,
    /// What every head does for names.
    pub names: Vec<NameRole>,
    /// SHA-256 of `model.safetensors`.
    pub weights_sha256: String,
    /// SHA-256 of the vocabulary, one token a line.
    pub vocabulary_sha256: String,
}

/// Repeated sequences of ordinary words that fill the context.
pub fn repeated_words(seed: u64, rows: usize) -> Repeats {
    let words: Vec<u32> = words::PLAIN.iter().map(|word| vocab::spaced(word)).collect();
    Repeats::draw(seed, rows, (N_CTX - 1) / 2, &words, vocab::END_OF_TEXT_ID)
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// SHA-256 of the toy vocabulary, one token a line.
pub fn vocabulary_sha256() -> String {
    sha256(vocab::tokens().join("\n").as_bytes())
}

/// How a training run went, as far as the model itself does not tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// How it was trained.
    pub settings: Settings,
    /// Seed of its text.
    pub text_seed: u64,
    /// Steps done.
    pub steps: u64,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Mean loss of the last hundred steps, in nats.
    pub train_loss: f64,
}

impl Facts {
    /// Measures a trained model, `rows` rows a task; `weights` are the bytes of its file.
    ///
    /// # Errors
    ///
    /// Those of a run.
    pub fn measure(model: &HookedTransformer, run: &Run, weights: &[u8], rows: usize) -> Result<Self> {
        let seed = recipe::HELD_OUT_SEED;
        let (logit_diff, names) = exam::name_roles(model, seed + 1, rows.min(256))?;
        Ok(Self {
            settings: run.settings,
            first_text: recipe::first_text(run.text_seed),
            first_steps: recipe::FIRST_STEPS,
            text: recipe::text(run.text_seed),
            scattered_rows: recipe::SCATTERED,
            stranger_rows: recipe::STRANGERS,
            echo_rows: recipe::ECHOES,
            echo_from: recipe::ECHO_FROM,
            steps: run.steps,
            seconds: run.seconds,
            device: model.device_name().to_owned(),
            parameters: model.n_params(),
            train_loss: run.train_loss,
            held_out_loss: exam::text_loss(model, &recipe::text(seed), 8)?,
            tasks: exam::evaluate(model, seed, rows)?,
            heads: head_scores(model, &repeated_words(seed, 64))?,
            logit_diff,
            names,
            weights_sha256: sha256(weights),
            vocabulary_sha256: vocabulary_sha256(),
        })
    }
}
