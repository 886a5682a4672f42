//! Every token of the vocabulary as a vector of the stream: as it is read in, and as it is read out.

use arrakis_models::HookedTransformer;
use burn::tensor::{Int, Tensor, TensorData};

use super::stream;
use crate::error::{Error, Result};

/// What the tokens put into the stream, `[token, d_model]`: the embedding with the architecture's scale, norm and
/// projection, without positions and token types.
pub(crate) fn embeddings(model: &HookedTransformer, ids: &[u32]) -> Tensor<2> {
    let net = model.net();
    let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let count = ids.len();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, count]), model.device());
    let mut embed = net.embed.lookup(ids);
    if let Some(scale) = net.config.embed_scale {
        embed = embed * scale;
    }
    if let Some(norm) = net.embed_norm.as_ref().filter(|_| net.config.embed_norm) {
        embed = norm.apply(embed);
    }
    if let Some(project) = &net.project_in {
        embed = project.apply(embed);
    }
    embed.reshape([count, net.config.d_model])
}

/// The direction of the stream that raises each token's logit, without the final norm: `[token, d_model]`.
///
/// # Errors
///
/// An architecture that transforms the stream by more than a norm and a matrix before the logits.
pub(crate) fn directions(tool: &'static str, model: &HookedTransformer, ids: &[u32]) -> Result<Tensor<2>> {
    if model.net().transform.is_some() {
        let problem = "this architecture has a layer with an activation before the logits, so no direction of the stream belongs to a token; read the other side";
        return Err(Error::Tool { tool, problem: problem.into() });
    }
    stream::unembed_directions(model, ids)
}

/// Every token's id.
pub(crate) fn all(model: &HookedTransformer) -> Vec<u32> {
    (0..u32::try_from(model.config().d_vocab).unwrap_or(u32::MAX)).collect()
}
