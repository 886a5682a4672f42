//! Mixtral (Jiang et al., 2024): Mistral with experts.

use super::decoder::{Defaults, LLAMA_DEFAULTS, attention, decoder, mapped};
use super::experts::{LOSS, Names, counts, experts};
use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::TransformerConfig;

pub(super) const MIXTRAL: Family = Family { model_types: &["mixtral"], config, weights };

const DEFAULTS: Defaults =
    Defaults { n_kv_heads: Some(8), d_mlp: 14336, n_ctx: 131_072, eps: 1e-5, theta: 1e6, ..LLAMA_DEFAULTS };

const NAMES: Names = Names { experts: "block_sparse_moe.experts", parts: ["w1", "w3", "w2"] };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let mut config = decoder(hf, &DEFAULTS)?;
    config.windows = vec![hf.nullable_count("sliding_window", None)?; config.n_layers];
    config.experts = Some(counts(hf, [8, 2])?);
    hf.finish(LOSS)?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        map.linear(
            &format!("blocks.{layer}.mlp.router"),
            &format!("model.layers.{layer}.block_sparse_moe.gate"),
            false,
        );
        map.otherwise(format!("model.layers.{layer}.mlp.gate.weight"), true, Cut::Whole);
        experts(map, config, layer, &NAMES);
    })
}
