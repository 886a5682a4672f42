//! Nemotron (Parmar et al., 2024; the Minitron models): LayerNorm with weight `1 + w`, a squared `ReLU`, half of each head
//! rotated.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, one_rope, skeleton, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{NormKind, TransformerConfig};

pub(super) const NEMOTRON: Family = Family { model_types: &["nemotron"], config, weights };

const DEFAULTS: Defaults = Defaults {
    d_model: 6144,
    n_heads: 48,
    d_mlp: 24576,
    d_vocab: 256_000,
    n_ctx: 4096,
    rotated: Some(0.5),
    activation: ("hidden_act", "relu2"),
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    one_rope(hf, &mut config, &DEFAULTS)?;
    attention_bias(hf, &mut config)?;
    (config.gated_mlp, config.mlp_bias) = (false, hf.flag_or("mlp_bias", false)?);
    (config.norm, config.norm_bias) = (NormKind::LayerNormOffset, true);
    config.norm_eps = hf.number_or("norm_eps", 1e-5)?;
    // Keys of the conversion, which transformers does not read.
    hf.finish(&["kv_channels", "rope_percent"])?;
    Ok(config)
}
