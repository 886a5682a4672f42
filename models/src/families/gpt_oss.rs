//! gpt-oss (`OpenAI`, 2025): experts with a clamped gate, attention sinks, a window on every other layer.

use serde_json::json;

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention, mapped, one_rope, skeleton};
use super::experts::{LOSS, counts};
use super::layers::{sliding, windows};
use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ClampedGate, Experts, Positions, Rope, RopeScaling, TransformerConfig};

pub(super) const GPT_OSS: Family = Family { model_types: &["gpt_oss"], config, weights };

const DEFAULTS: Defaults = Defaults {
    n_layers: 36,
    d_model: 2880,
    n_heads: 64,
    n_kv_heads: Some(8),
    d_head: Some(64),
    d_mlp: 2880,
    d_vocab: 201_088,
    n_ctx: 131_072,
    theta: 150_000.0,
    ..LLAMA_DEFAULTS
};

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = skeleton(hf, &DEFAULTS)?;
    config.norm_eps = hf.number_or("rms_norm_eps", 1e-5)?;
    rope(hf, &mut config)?;
    let bias = hf.flag_or("attention_bias", true)?;
    (config.qkv_bias, config.attn_out_bias, config.mlp_bias, config.attn_sinks) = (bias, bias, true, true);
    let slides = sliding(hf, config.n_layers, |layer| layer.is_multiple_of(2))?;
    config.windows = windows(hf, &slides, hf.nullable_count("sliding_window", Some(128))?)?;
    config.experts = Some(Experts { router_bias: true, ..counts(hf, [128, 4])? });
    let (slope, limit) = (hf.number_or("swiglu_alpha", 1.702)?, hf.number_or("swiglu_limit", 7.0)?);
    config.clamped_gate = Some(ClampedGate { slope, limit });
    hf.must_be("hidden_act", &json!("silu"), "transformers has one gate for this architecture; it must be silu")?;
    // Keys of OpenAI's own code.
    hf.finish(&[LOSS, &["experts_per_token", "initial_context_length"]].concat())?;
    Ok(config)
}

/// Without settings it is the `YaRN` of the published models.
fn rope(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    if ["rope_parameters", "rope_scaling"].iter().any(|key| hf.value(key).is_some()) {
        return one_rope(hf, config, &DEFAULTS);
    }
    let factor = 32.0_f64;
    let scaling = RopeScaling::Yarn {
        factor,
        original_n_ctx: 4096,
        beta_fast: 32.0,
        beta_slow: 1.0,
        attention_factor: 0.1 * factor.ln() + 1.0,
        truncate: false,
    };
    let theta = hf.number_or("rope_theta", DEFAULTS.theta)?;
    let rope = Rope { theta, dims: config.d_head, interleaved: false, scaling };
    config.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0; config.n_layers] };
    Ok(())
}

fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        let (ours, theirs) = (format!("blocks.{layer}"), format!("model.layers.{layer}"));
        map.same(format!("{ours}.attn.sinks"), format!("{theirs}.self_attn.sinks"));
        map.linear(&format!("{ours}.mlp.router"), &format!("{theirs}.mlp.router"), true);
        for index in 0..config.experts.map_or(0, |experts| experts.count) {
            expert(map, config, (&ours, &theirs), index);
        }
    })
}

/// One of the experts, which lie in stacks; the outputs of gate and input alternate.
fn expert(map: &mut WeightMap, config: &TransformerConfig, (ours, theirs): (&str, &str), index: usize) {
    let (both, out) = (2 * config.d_mlp, config.d_model);
    for (name, stack, width, start, step) in [
        ("w_gate", "gate_up_proj", both, 0, 2),
        ("w_in", "gate_up_proj", both, 1, 2),
        ("w_out", "down_proj", out, 0, 1),
    ] {
        let cut = Cut::InStack { index, width, start, step };
        map.stacked(&format!("{ours}.mlp.experts.{index}.{name}"), &format!("{theirs}.mlp.experts.{stack}"), true, cut);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config;

    /// The defaults are the settings of gpt-oss-120b.
    #[test]
    fn the_published_rotation_is_the_default() {
        let yarn = json!({
            "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false, "original_max_position_embeddings": 4096
        });
        let given = config(json!({ "model_type": "gpt_oss", "rope_theta": 150_000, "rope_scaling": yarn })).unwrap();
        assert_eq!(config(json!({ "model_type": "gpt_oss" })).unwrap(), given);
    }
}
