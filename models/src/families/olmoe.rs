//! `OLMoE` (Muennighoff et al., 2024): experts, and norms on all queries and keys at once.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, decoder};
use super::experts::{LOSS, counts_and_weights, weights};
use super::gemma::cap;
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{QkNorm, TransformerConfig};

pub(super) const OLMOE: Family = Family { model_types: &["olmoe"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 16,
    d_model: 2048,
    n_heads: 16,
    d_mlp: 2048,
    d_vocab: 50304,
    n_ctx: 4096,
    eps: 1e-5,
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    if config.d_head * config.n_heads != config.d_model {
        return Err(hf.problem("head_dim", "in this architecture it must be hidden_size / num_attention_heads"));
    }
    attention_bias(hf, &mut config)?;
    (config.qk_norm, config.qkv_clip) = (QkNorm::Full, cap(hf, "clip_qkv", None)?);
    config.experts = Some(counts_and_weights(hf, [64, 8])?);
    hf.finish(LOSS)?;
    Ok(config)
}
