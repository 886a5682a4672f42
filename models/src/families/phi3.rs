//! Phi 3 and 4 (Abdin et al., 2024): Llama with fused projections, and `LongRoPE`.

use serde_json::json;

use super::decoder::{Defaults, LLAMA_DEFAULTS, mapped, mlp_of_two, skeleton};
use super::rope::{RopeReader, rope_table};
use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{Positions, RopeScaling, TransformerConfig};

pub(super) const PHI3: Family = Family { model_types: &["phi3"], config, weights };

const DEFAULTS: Defaults = Defaults { d_model: 3072, d_mlp: 8192, d_vocab: 32064, n_ctx: 4096, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    config.norm_eps = hf.number_or("rms_norm_eps", 1e-5)?;
    config.windows = vec![hf.nullable_count("sliding_window", None)?; config.n_layers];
    rope(hf, &mut config)?;
    for key in ["attention_bias", "lm_head_bias", "mlp_bias"] {
        hf.refuse_if(key, true, false, "Phi 3 has no biases; this must be false")?;
    }
    for key in ["full_attn_mod", "interpolate_factor"] {
        hf.must_be(key, &json!(1), "transformers computes with 1 whatever this says; it must be 1")?;
    }
    hf.finish(&[])?;
    Ok(config)
}

/// The context it was trained with is a key beside the rotation's table, and has its own default.
fn rope(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    let (theta, fraction) = (hf.number_or("rope_theta", 10_000.0)?, hf.number_or("partial_rotary_factor", 1.0)?);
    let original = Some(hf.count_or("original_max_position_embeddings", 4096)?);
    let reader = RopeReader { d_head: config.d_head, n_ctx: config.n_ctx, theta, fraction, original };
    let rope = reader.read(hf, rope_table(hf)?.as_ref())?;
    if !matches!(rope.scaling, RopeScaling::Default | RopeScaling::Longrope { .. }) {
        return Err(hf.problem("rope_scaling", "Phi 3 has only the types default and longrope"));
    }
    config.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0; config.n_layers] };
    Ok(())
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let (d_q, d_kv) = (config.n_heads * config.d_head, config.n_kv_heads * config.d_head);
    mapped(config, |map, layer| {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("model.layers.{layer}"));
        for (name, start, len) in [("w_q", 0, d_q), ("w_k", d_q, d_kv), ("w_v", d_q + d_kv, d_kv)] {
            map.projection(
                &format!("{ours}.attn.{name}"),
                &format!("{theirs}.self_attn.qkv_proj"),
                true,
                false,
                Cut::Range { start, len },
            );
        }
        map.linear(&format!("{ours}.attn.w_o"), &format!("{theirs}.self_attn.o_proj"), false);
        mlp_of_two(map, config, layer);
    })
}
