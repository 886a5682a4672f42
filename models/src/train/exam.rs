//! How good a toy model is, and which heads its name moving needs.

use burn::tensor::{Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::loss::weighted_cross_entropy;
use super::recipe;
use crate::device;
use crate::error::{Error, Result};
use crate::hooks::Edit;
use crate::model::HookedTransformer;
use crate::toy::eval::{self, Report, WrongLength};
use crate::toy::mixture::Recipe;
use crate::toy::{N_CTX, Split, name_mover, vocab};

/// Rows a run.
const BATCH: usize = 64;

/// Marks every task on `rows` held-out rows each: see [`eval::evaluate`].
///
/// # Errors
///
/// [`Error::Length`] for a model of another vocabulary.
pub fn evaluate(model: &HookedTransformer, seed: u64, rows: usize) -> Result<Report> {
    let logits = |rows: &[Vec<u32>]| Ok(device::read(model.forward(rows.to_vec())?)?);
    eval::evaluate(seed, rows, BATCH, logits).map_err(|failed| match failed {
        Failed::Run(error) => error,
        Failed::Length(wrong) => Error::Length {
            what: "logits of the toy vocabulary".into(),
            expected: wrong.expected,
            actual: wrong.actual,
        },
    })
}

enum Failed {
    Run(Error),
    Length(WrongLength),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

impl From<WrongLength> for Failed {
    fn from(wrong: WrongLength) -> Self {
        Self::Length(wrong)
    }
}

/// Mean cross entropy of `batches` batches of text in nats, weighted as in training ([`recipe::balanced`]).
///
/// # Errors
///
/// Those of a run.
pub fn text_loss(model: &HookedTransformer, text: &Recipe, batches: u64) -> Result<f64> {
    let mut total = 0.0;
    for step in 0..batches {
        let batch = recipe::balanced(text.batch(step));
        let logits = model.forward(batch.tokens)?;
        let [rows, pos, _] = logits.dims();
        let targets: Vec<i64> = batch.targets.iter().flatten().map(|id| i64::from(*id)).collect();
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [rows, pos]), model.device());
        let weights = Tensor::from_data(TensorData::new(batch.loss_mask.concat(), [rows, pos]), model.device());
        total += f64::from(device::read(weighted_cross_entropy(logits, targets, weights))?[0]);
    }
    Ok(total / batches.max(1) as f64)
}

/// What one head does where a name is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameRole {
    /// Its block.
    pub layer: usize,
    /// Its place in the block.
    pub head: usize,
    /// Attention from the last token to the indirect object.
    pub to_indirect_object: f64,
    /// Attention from the last token to the subject, both occurrences.
    pub to_subject: f64,
    /// How far the logit difference (right name minus subject) falls when the head's `z` is zero.
    pub drop: f64,
}

/// What every head does for names; the mean logit difference without ablation, in nats, comes first.
///
/// # Errors
///
/// Those of a run.
pub fn name_roles(model: &HookedTransformer, seed: u64, rows: usize) -> Result<(f64, Vec<NameRole>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let prompts: Vec<name_mover::Prompt> =
        (0..rows).map(|_| name_mover::prompt(&mut rng, Split::HeldOut, Split::HeldOut)).collect();
    let batch: Vec<Vec<u32>> = prompts.iter().map(|prompt| filled(&prompt.tokens)).collect();
    let (logits, cache) = model.run_with_cache(batch.clone(), ["blocks.*.attn.pattern"])?;
    let whole = logit_diff(logits, &prompts)?;
    let mut roles = Vec::new();
    for layer in 0..model.config().n_layers {
        let patterns = cache.activation(format!("blocks.{layer}.attn.pattern"))?.to_vec()?;
        for head in 0..model.config().n_heads {
            let without = model
                .run_with_hooks(batch.clone(), [(format!("blocks.{layer}.attn.z").as_str(), without_head(head))])?;
            let [to_indirect_object, to_subject] = attention(&patterns, model.config().n_heads, head, &prompts);
            roles.push(NameRole {
                layer,
                head,
                to_indirect_object,
                to_subject,
                drop: whole - logit_diff(without, &prompts)?,
            });
        }
    }
    Ok((whole, roles))
}

fn filled(tokens: &[u32]) -> Vec<u32> {
    let mut row = tokens.to_vec();
    row.resize(N_CTX, vocab::END_OF_TEXT_ID);
    row
}

/// Zeros in one head's `z`, `[batch, pos, head, d_head]`.
fn without_head(head: usize) -> Edit {
    Edit::new(move |z: Tensor<4>| {
        let [batch, pos, _, d_head] = z.dims();
        let zeros = Tensor::zeros([batch, pos, 1, d_head], &z.device());
        z.slice_assign([0..batch, 0..pos, head..head + 1, 0..d_head], zeros)
    })
}

/// Mean logit of the right name minus that of the subject, where the name is predicted.
fn logit_diff(logits: Tensor<3>, prompts: &[name_mover::Prompt]) -> Result<f64> {
    let [_, pos, d_vocab] = logits.dims();
    let values = device::read(logits)?;
    let diff = |(row, prompt): (usize, &name_mover::Prompt)| {
        let start = (row * pos + prompt.answer_pos) * d_vocab;
        f64::from(values[start + prompt.answer as usize] - values[start + prompt.wrong as usize])
    };
    Ok(prompts.iter().enumerate().map(diff).sum::<f64>() / prompts.len().max(1) as f64)
}

/// Mean attention from the last token to the indirect object and to the subject; patterns are `[batch, head, query, key]`.
fn attention(patterns: &[f32], heads: usize, head: usize, prompts: &[name_mover::Prompt]) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for (row, prompt) in prompts.iter().enumerate() {
        let start = ((row * heads + head) * N_CTX + prompt.answer_pos) * N_CTX;
        let to = |place: usize| f64::from(patterns[start + place]);
        sums[0] += to(prompt.io_pos);
        sums[1] += to(prompt.s1_pos) + to(prompt.s2_pos);
    }
    sums.map(|sum| sum / prompts.len().max(1) as f64)
}
