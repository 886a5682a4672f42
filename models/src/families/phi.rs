//! Phi 1, 1.5 and 2 (Gunasekar et al., 2023): parallel blocks with one norm, biases everywhere, half of each head rotated.

use super::decoder::{Defaults, LLAMA_DEFAULTS, one_rope, skeleton};
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{BlockLayout, NormKind, QkNorm, TransformerConfig};

pub(super) const PHI: Family = Family { model_types: &["phi"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 24,
    d_model: 2048,
    d_mlp: 8192,
    d_vocab: 51200,
    rotated: Some(0.5),
    activation: ("hidden_act", "gelu_new"),
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    one_rope(hf, &mut config, &DEFAULTS)?;
    (config.gated_mlp, config.mlp_bias, config.qkv_bias, config.attn_out_bias) = (false, true, true, true);
    (config.norm, config.norm_bias, config.unembed_bias) = (NormKind::LayerNorm, true, true);
    config.norm_eps = hf.number_or("layer_norm_eps", 1e-5)?;
    config.block_layout = BlockLayout::ParallelSharedNorm;
    if hf.flag_or("qk_layernorm", false)? {
        if config.d_head * config.n_heads != config.d_model {
            return Err(hf.problem("head_dim", "with qk_layernorm it must be hidden_size / num_attention_heads"));
        }
        config.qk_norm = QkNorm::HeadBiased;
    }
    hf.finish(&[])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("model.");
    map.same("embed.weight", "model.embed_tokens.weight");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("model.layers.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.input_layernorm"), true);
        for (name, projection) in [("w_q", "q_proj"), ("w_k", "k_proj"), ("w_v", "v_proj"), ("w_o", "dense")] {
            map.linear(&format!("{ours}.attn.{name}"), &format!("{theirs}.self_attn.{projection}"), true);
        }
        if config.qk_norm != QkNorm::None {
            for part in ["q", "k"] {
                map.norm(&format!("{ours}.attn.{part}_norm"), &format!("{theirs}.self_attn.{part}_layernorm"), true);
            }
        }
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.fc1"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.fc2"), true);
    }
    map.norm("ln_final", "model.final_layernorm", true);
    map.unembed("lm_head", config.tied, true);
    map
}
