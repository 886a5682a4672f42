//! What directions of a dictionary write into the logits.

use arrakis_models::HookedTransformer;
use arrakis_models::dictionary::Dictionary;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::refuse::{NAME, refuse};
use crate::corpus::site_name::full_name;
use crate::error::Result;
use crate::tools::shared::{common, finite, stream};

/// Latents whose logits are held at a time.
const BLOCK: usize = 64;

/// The tokens that a latent raises and lowers most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogitEffects {
    /// The latent.
    pub latent: usize,
    /// Tokens, their texts and the change of their logits for one unit of activation, largest first.
    pub raised: Vec<(u32, String, f64)>,
    /// The same, lowest first.
    pub lowered: Vec<(u32, String, f64)>,
}

pub(super) fn of(
    model: &HookedTransformer,
    dictionary: &Dictionary,
    latents: &[usize],
    k: usize,
) -> Result<Vec<LogitEffects>> {
    let (d_sae, d_out, d_model) = (dictionary.config.d_sae, dictionary.config.d_out, model.config().d_model);
    latents.iter().try_for_each(|latent| common::within("latent", *latent, d_sae))?;
    if !writes(model, dictionary) {
        return Err(refuse(format!(
            "the dictionary writes {d_out} numbers and the stream has {d_model}: only what is written into the stream has a \
             direct effect on logits"
        )));
    }
    let mut found = Vec::with_capacity(latents.len());
    for block in latents.chunks(BLOCK) {
        let logits = logits(model, dictionary, block)?;
        let vocabulary = logits.len() / block.len();
        finite::check_weights(NAME, "a logit effect", &logits)?;
        for (latent, own) in block.iter().zip(logits.chunks(vocabulary)) {
            let named = |sign: f64| {
                let signed: Vec<f64> = own.iter().map(|logit| sign * logit).collect();
                let best = common::largest(&signed, k).into_iter();
                best.map(|id| (id as u32, common::label(model, id as u32), own[id])).collect()
            };
            found.push(LogitEffects { latent: *latent, raised: named(1.0), lowered: named(-1.0) });
        }
    }
    Ok(found)
}

/// Whether it writes into the stream: at once, or through the heads' `W_O`.
pub(super) fn writes(model: &HookedTransformer, dictionary: &Dictionary) -> bool {
    let (d_out, config) = (dictionary.config.d_out, model.config());
    match of_heads(dictionary) {
        Some(_) => d_out == config.n_heads * config.d_head,
        None => d_out == config.d_model,
    }
}

/// The layer of a dictionary that predicts what all heads read, `attn.z`.
fn of_heads(dictionary: &Dictionary) -> Option<usize> {
    let metadata = &dictionary.config.metadata;
    let site = full_name(metadata.site_out().or(metadata.site())?);
    site.strip_prefix("blocks.")?.strip_suffix(".attn.z")?.parse().ok()
}

/// The change of every logit, `[latent, d_vocab]`, less its mean over the vocabulary.
fn logits(model: &HookedTransformer, dictionary: &Dictionary, latents: &[usize]) -> Result<Vec<f64>> {
    let at: Vec<i64> = latents.iter().map(|latent| *latent as i64).collect();
    let at = Tensor::<1, Int>::from_data(TensorData::new(at, [latents.len()]), model.device());
    let directions = dictionary.directions().to_device(model.device()).select(0, at);
    let directions = match of_heads(dictionary) {
        Some(layer) => {
            let w_o = model.w_o(layer)?;
            let [heads, d_head, d_model] = w_o.dims();
            directions.matmul(w_o.reshape([heads * d_head, d_model]))
        }
        None => directions,
    };
    let normed = match &model.net().ln_final {
        Some(norm) => stream::frozen(norm, directions, Tensor::ones([1, 1], model.device())),
        None => directions,
    };
    let read = match &model.net().project_out {
        Some(project) => normed.matmul(project.matrix()),
        None => normed,
    };
    let logits = read.matmul(model.w_u()) * model.config().logit_scale.unwrap_or(1.0);
    let mean = logits.clone().mean_dim(1);
    common::numbers(logits - mean)
}
