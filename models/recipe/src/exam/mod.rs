//! Measures how well a model does the three tasks, and which heads do them.

mod heads;
mod names;
mod questions;

pub use heads::{HeadStripes, head_stripes};
pub use names::{NameRole, NameRoles, name_roles};
pub use questions::{Exam, Question, Report, Score, evaluate};

use arrakis::models::{HookedTransformer, device};
use burn::tensor::{Int, Tensor, TensorData};

use crate::error::Result;
use crate::recipe;
use crate::text::mixture::Recipe;
use crate::train::weighted_cross_entropy;

/// Rows per run.
const BATCH: usize = 64;

/// Scores every task on `rows` held-out rows each: see [`evaluate`].
///
/// # Errors
///
/// [`crate::Error::Vocabulary`] if the model has a different vocabulary.
pub fn take(model: &HookedTransformer, seed: u64, rows: usize) -> Result<Report> {
    evaluate(seed, rows, BATCH, |rows| Ok(device::read(model.forward(rows.to_vec())?)?))
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
