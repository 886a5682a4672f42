//! `StarCoder` 2 (Lozhkov et al., 2024): rotary positions and a window, with LayerNorm, biases and a plain MLP.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention, mapped, one_rope, skeleton};
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{NormKind, TransformerConfig};

pub(super) const STARCODER2: Family = Family { model_types: &["starcoder2"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 30,
    d_model: 3072,
    n_heads: 24,
    n_kv_heads: Some(2),
    d_mlp: 12288,
    d_vocab: 49152,
    n_ctx: 4096,
    tied: true,
    activation: ("hidden_act", "gelu_pytorch_tanh"),
    ..LLAMA_DEFAULTS
};

/// Keys of training code that transformers does not read.
const TRAINING: &[&str] = &[
    "activation_function",
    "attention_softmax_in_fp32",
    "mlp_type",
    "norm_type",
    "scale_attention_softmax_in_fp32",
    "scale_attn_weights",
];

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    one_rope(hf, &mut config, &DEFAULTS)?;
    let bias = hf.flag_or("use_bias", true)?;
    (config.gated_mlp, config.mlp_bias, config.qkv_bias, config.attn_out_bias) = (false, bias, bias, bias);
    (config.norm, config.norm_bias) = (NormKind::LayerNorm, true);
    config.norm_eps = hf.number_or("norm_epsilon", 1e-5)?;
    config.windows = vec![hf.nullable_count("sliding_window", None)?; config.n_layers];
    hf.finish(TRAINING)?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        for (name, projection) in [("w_in", "c_fc"), ("w_out", "c_proj")] {
            map.linear(
                &format!("blocks.{layer}.mlp.{name}"),
                &format!("model.layers.{layer}.mlp.{projection}"),
                config.mlp_bias,
            );
        }
    })
}
