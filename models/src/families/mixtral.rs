//! Mixtral (Jiang et al., 2024): Mistral with experts.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention, decoder, mapped};
use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{Experts, TransformerConfig};

pub(super) const MIXTRAL: Family = Family { model_types: &["mixtral"], config, weights };

const DEFAULTS: Defaults =
    Defaults { n_kv_heads: Some(8), d_mlp: 14336, n_ctx: 131_072, eps: 1e-5, theta: 1e6, ..LLAMA_DEFAULTS };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    config.windows = vec![hf.nullable_count("sliding_window", None)?; config.n_layers];
    let experts =
        Experts::new(hf.count_by(&["num_local_experts", "num_experts"], 8)?, hf.count_or("num_experts_per_tok", 2)?);
    if experts.per_token > experts.count {
        return Err(hf.problem("num_experts_per_tok", format!("there are only {} experts", experts.count)));
    }
    config.experts = Some(experts);
    hf.finish(&["output_router_logits", "router_aux_loss_coef", "router_jitter_noise"])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let count = config.experts.map_or(0, |experts| experts.count);
    mapped(config, |map, layer| {
        attention(map, config, layer);
        map.linear(
            &format!("blocks.{layer}.mlp.router"),
            &format!("model.layers.{layer}.block_sparse_moe.gate"),
            false,
        );
        map.otherwise(format!("model.layers.{layer}.mlp.gate.weight"), true, Cut::Whole);
        (0..count).for_each(|index| expert(map, config, layer, index));
    })
}

/// One expert. Published files hold its own `w1`, `w2`, `w3`; the memory layout of transformers 5 has two stacks for
/// all experts.
fn expert(map: &mut WeightMap, config: &TransformerConfig, layer: usize, index: usize) {
    let (ours, theirs) = (
        format!("blocks.{layer}.mlp.experts.{index}"),
        format!("model.layers.{layer}.block_sparse_moe.experts.{index}"),
    );
    let stacks = format!("model.layers.{layer}.mlp.experts");
    let (d_mlp, d_model) = (config.d_mlp, config.d_model);
    let (both, first) = (2 * d_mlp * index, d_model * index);
    let parts = [
        ("w_gate", "w1", "gate_up_proj", both, d_mlp),
        ("w_in", "w3", "gate_up_proj", both + d_mlp, d_mlp),
        ("w_out", "w2", "down_proj", first, d_model),
    ];
    for (name, alone, stack, start, len) in parts {
        map.linear(&format!("{ours}.{name}"), &format!("{theirs}.{alone}"), false);
        map.otherwise(format!("{stacks}.{stack}"), true, Cut::Range { start, len });
    }
}
