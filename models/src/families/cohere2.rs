//! Command R7B (Cohere, 2024): parallel blocks with one norm, full layers without positions, scaled logits.

use serde_json::json;

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention_bias, interleave, one_rope, rotate_only, skeleton, weights};
use super::layers::{sliding, windows};
use super::{Family, HfConfig};
use crate::error::Result;
use crate::transformer::{BlockLayout, NormKind, TransformerConfig};

pub(super) const COHERE2: Family = Family { model_types: &["cohere2"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 40,
    d_model: 8192,
    n_heads: 64,
    d_mlp: 22528,
    d_vocab: 256_000,
    n_ctx: 8192,
    tied: true,
    ..LLAMA_DEFAULTS
};

/// Keys of training code that transformers does not read, with the values that its code has.
const TRAINING: &[&str] = &["layer_switch", "rotary_pct", "use_embedding_sharing", "use_gated_activation"];

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    if config.d_head * config.n_heads != config.d_model {
        return Err(hf.problem("head_dim", "in this architecture it must be hidden_size / num_attention_heads"));
    }
    one_rope(hf, &mut config, &DEFAULTS)?;
    interleave(&mut config);
    attention_bias(hf, &mut config)?;
    (config.norm, config.norm_eps) = (NormKind::LayerNorm, hf.number_or("layer_norm_eps", 1e-5)?);
    config.block_layout = BlockLayout::ParallelSharedNorm;
    config.logit_scale = Some(hf.number_or("logit_scale", 0.0625)?);
    let period = hf.count_or("sliding_window_pattern", 4)?;
    let slides = sliding(hf, config.n_layers, |layer| !(layer + 1).is_multiple_of(period))?;
    config.windows = windows(hf, &slides, hf.nullable_count("sliding_window", Some(4096))?)?;
    rotate_only(&mut config, &slides);
    hf.refuse_if("use_qk_norm", true, false, "this architecture norms no queries and keys; it must be false")?;
    for (key, only) in [
        ("order_of_interleaved_layers", json!("local_attn_first")),
        ("position_embedding_type", json!("rope_gptj")),
        ("use_parallel_block", json!(true)),
        ("use_parallel_embedding", json!(false)),
    ] {
        hf.must_be(key, &only, "transformers computes as if it were the usual value")?;
    }
    hf.finish(&[TRAINING, &["_sliding_window_pattern"]].concat())?;
    Ok(config)
}
