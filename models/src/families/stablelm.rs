//! `StableLM` (Bellagente et al., 2024): Llama with LayerNorm, part of each head rotated; parallel blocks as an option.

use super::decoder::{Defaults, LLAMA_DEFAULTS, one_rope, skeleton, weights};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{BlockLayout, NormKind, QkNorm, TransformerConfig};

pub(super) const STABLELM: Family = Family { model_types: &["stablelm"], config, weights };

const DEFAULTS: Defaults = Defaults {
    d_model: 2560,
    n_kv_heads: Some(32),
    d_mlp: 6912,
    d_vocab: 50304,
    n_ctx: 4096,
    rotated: Some(0.25),
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    if config.d_head * config.n_heads != config.d_model {
        let width = config.d_model / config.n_heads;
        return Err(hf.problem(
            "head_dim",
            format!("this architecture's heads are hidden_size / num_attention_heads, {width}, wide"),
        ));
    }
    one_rope(hf, &mut config, &DEFAULTS)?;
    (config.norm, config.norm_bias) = (NormKind::LayerNorm, true);
    config.norm_eps = hf.number_or("layer_norm_eps", 1e-5)?;
    config.qkv_bias = hf.flag_or("use_qkv_bias", false)?;
    if hf.flag_or("qk_layernorm", false)? {
        config.qk_norm = QkNorm::PerHead;
    }
    if hf.flag_or("use_parallel_residual", false)? {
        config.block_layout = BlockLayout::ParallelSharedNorm;
    }
    // Keys of the first checkpoints, which transformers does not read.
    hf.finish(&["norm_eps", "num_heads", "rope_pct", "rotary_scaling_factor"])?;
    Ok(config)
}
