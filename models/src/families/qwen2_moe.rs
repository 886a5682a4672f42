//! Qwen 2 `MoE` (Yang et al., 2024): Qwen 2 with experts, and one more that every token uses behind a gate of its own.

use super::decoder::{Defaults, attention, decoder, mapped};
use super::experts::{LOSS, PROJECTIONS, counts_and_weights, experts, in_all_layers};
use super::layers::{sliding, windows};
use super::{Family, HfConfig, WeightMap, qwen2};
use crate::error::Result;
use crate::transformer::{Experts, TransformerConfig};

pub(super) const QWEN2_MOE: Family = Family { model_types: &["qwen2_moe"], config, weights };

const DEFAULTS: Defaults =
    Defaults { n_layers: 24, d_model: 2048, n_heads: 16, n_kv_heads: Some(16), d_mlp: 5632, ..qwen2::DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    config.qkv_bias = hf.flag_or("qkv_bias", true)?;
    config.windows = even_windows(hf, config.n_layers)?;
    config.d_mlp = hf.count_or("moe_intermediate_size", 1408)?;
    let shared = Some(hf.count_or("shared_expert_intermediate_size", 5632)?);
    config.experts = Some(Experts { shared, ..counts_and_weights(hf, [60, 4])? });
    in_all_layers(hf)?;
    hf.finish(LOSS)?;
    Ok(config)
}

/// With `use_sliding_window`, every other layer below `max_window_layers` slides.
fn even_windows(hf: &HfConfig, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let on = hf.flag_or("use_sliding_window", false)?;
    let window = hf.nullable_count("sliding_window", Some(4096))?.filter(|_| on);
    let end = hf.count_or("max_window_layers", 28)?;
    let slides = sliding(hf, n_layers, |layer| on && layer < end && layer.is_multiple_of(2))?;
    windows(hf, &slides, window)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        let (ours, theirs) = (format!("blocks.{layer}.mlp"), format!("model.layers.{layer}.mlp"));
        map.linear(&format!("{ours}.router"), &format!("{theirs}.gate"), false);
        map.linear(&format!("{ours}.shared_gate"), &format!("{theirs}.shared_expert_gate"), false);
        for (name, projection) in [("w_gate", "gate_proj"), ("w_in", "up_proj"), ("w_out", "down_proj")] {
            map.linear(&format!("{ours}.shared.{name}"), &format!("{theirs}.shared_expert.{projection}"), false);
        }
        experts(map, config, layer, &PROJECTIONS);
    })
}
