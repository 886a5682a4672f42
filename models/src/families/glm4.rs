//! GLM-4 (GLM Team, 2024): norms on both sides, half of each head rotated in neighbouring pairs.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention, decoder, framed, interleave, mlp_of_two};
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{NormPlacement, TransformerConfig};

pub(super) const GLM4: Family = Family { model_types: &["glm4"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 40,
    n_kv_heads: Some(2),
    d_head: Some(128),
    d_mlp: 13696,
    d_vocab: 151_552,
    n_ctx: 131_072,
    eps: 1.5625e-7,
    rotated: Some(0.5),
    ..LLAMA_DEFAULTS
};

const NORMS: [(&str, &str); 4] = [
    ("ln1", "input_layernorm"),
    ("ln1_post", "post_self_attn_layernorm"),
    ("ln2", "post_attention_layernorm"),
    ("ln2_post", "post_mlp_layernorm"),
];

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    interleave(&mut config);
    config.qkv_bias = hf.flag_or("attention_bias", true)?;
    config.norm_placement = NormPlacement::Sandwich;
    hf.finish(&[])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    framed(config, |map, layer| {
        for (ours, theirs) in NORMS {
            map.norm(&format!("blocks.{layer}.{ours}"), &format!("model.layers.{layer}.{theirs}"), false);
        }
        attention(map, config, layer);
        mlp_of_two(map, config, layer);
    })
}
