//! How much of what one head writes another head reads, by their weights.

use arrakis_models::HookedTransformer;
use serde::{Deserialize, Serialize};

use super::factored_matrix::FactoredMatrix;
use super::finite;
use crate::error::Result;

/// Which input of the later head reads what the earlier head writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Composition {
    /// The query: `‖W_OV W_QK‖ / (‖W_OV‖ ‖W_QK‖)`.
    Q,
    /// The key: `‖W_OV W_QKᵀ‖ / (‖W_OV‖ ‖W_QK‖)`.
    K,
    /// The value: `‖W_OV W_OV'‖ / (‖W_OV‖ ‖W_OV'‖)`.
    V,
}

/// `W_V W_O` of each head of a layer, in factors: `[head, d_model, d_model]`.
pub(crate) fn ov(model: &HookedTransformer, layer: usize) -> Result<FactoredMatrix> {
    FactoredMatrix::new(model.w_v(layer)?, model.w_o(layer)?)
}

/// `W_Q W_Kᵀ` of each head of a layer, in factors: `[head, d_model, d_model]`.
pub(crate) fn qk(model: &HookedTransformer, layer: usize) -> Result<FactoredMatrix> {
    FactoredMatrix::new(model.w_q(layer)?, model.w_k(layer)?.swap_dims(1, 2))
}

/// What the heads of a layer read along one input, in factors: `[head, d_model, d_model]`.
pub(crate) fn reads(model: &HookedTransformer, kind: Composition, layer: usize) -> Result<FactoredMatrix> {
    match kind {
        Composition::Q => qk(model, layer),
        Composition::K => Ok(qk(model, layer)?.transposed()),
        Composition::V => ov(model, layer),
    }
}

/// The composition of every head of one layer with every head of a later one, `[writer][reader]`.
pub(crate) fn between(
    tool: &'static str,
    model: &HookedTransformer,
    kind: Composition,
    [writes, reads_in]: [usize; 2],
) -> Result<Vec<Vec<f64>>> {
    let (left, right) = (ov(model, writes)?, reads(model, kind, reads_in)?);
    let (lefts, rights) = (left.norms()?, right.norms()?);
    let mut scores = left.product_norms(&right)?;
    finite::check_weights(tool, "a composition", &[lefts.clone(), rights.clone(), scores.concat()].concat())?;
    for (row, left) in scores.iter_mut().zip(&lefts) {
        for (score, right) in row.iter_mut().zip(&rights) {
            *score = share(*score, *left, *right);
        }
    }
    Ok(scores)
}

/// The norm of a product as a share of the product of norms. A head that writes or reads nothing has no composition.
pub(crate) fn share(product: f64, left: f64, right: f64) -> f64 {
    if left * right > 0.0 { product / (left * right) } else { 0.0 }
}
