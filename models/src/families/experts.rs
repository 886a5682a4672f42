//! Mixtures of experts: the keys of Qwen's, and the names that all have.

use serde_json::Value;

use super::decoder::{attention, mapped};
use super::{Cut, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{Experts, TransformerConfig};

/// Keys of the loss that spreads tokens over experts in training.
pub(super) const LOSS: &[&str] = &["output_router_logits", "router_aux_loss_coef", "router_jitter_noise"];

/// The number of experts, and how many a token uses.
pub(super) fn counts(hf: &HfConfig, [count, per_token]: [usize; 2]) -> Result<Experts> {
    let count = hf.count_by(&["num_local_experts", "num_experts"], count)?;
    let per_token = hf.count_or("num_experts_per_tok", per_token)?;
    if per_token > count {
        return Err(hf.problem("num_experts_per_tok", format!("there are only {count} experts")));
    }
    Ok(Experts::new(count, per_token))
}

/// The same for models whose config says whether weights are renormalised.
pub(super) fn counts_and_weights(hf: &HfConfig, usual: [usize; 2]) -> Result<Experts> {
    let keeps_probabilities = !hf.flag_or("norm_topk_prob", false)?;
    Ok(Experts { keeps_probabilities, ..counts(hf, usual)? })
}

/// Refuses a Qwen whose layers are not all mixtures.
pub(super) fn in_all_layers(hf: &HfConfig) -> Result<()> {
    let why = "models here have the same parts in all layers, so all must have experts";
    hf.must_be("decoder_sparse_step", &1.into(), why)?;
    hf.must_be("mlp_only_layers", &Value::Array(Vec::new()), why)
}

/// What a checkpoint calls the parts of its mixtures.
pub(super) struct Names {
    /// The folder of a layer's experts.
    pub(super) experts: &'static str,
    /// Gate, input and output of one expert.
    pub(super) parts: [&'static str; 3],
}

/// The names of Qwen's and `OLMo`'s experts.
pub(super) const PROJECTIONS: Names = Names { experts: "mlp.experts", parts: ["gate_proj", "up_proj", "down_proj"] };

/// The experts of a layer. Published files hold each expert's own matrices; the memory layout of transformers 5 has two
/// stacks for all experts.
pub(super) fn experts(map: &mut WeightMap, config: &TransformerConfig, layer: usize, names: &Names) {
    for index in 0..config.experts.map_or(0, |experts| experts.count) {
        expert(map, config, layer, (index, names));
    }
}

fn expert(map: &mut WeightMap, config: &TransformerConfig, layer: usize, (index, names): (usize, &Names)) {
    let (ours, theirs) =
        (format!("blocks.{layer}.mlp.experts.{index}"), format!("model.layers.{layer}.{}.{index}", names.experts));
    let stacks = format!("model.layers.{layer}.mlp.experts");
    let (d_mlp, d_model) = (config.d_mlp, config.d_model);
    let (both, first) = (2 * d_mlp * index, d_model * index);
    let [gate, up, down] = names.parts;
    let parts = [
        ("w_gate", gate, "gate_up_proj", both, d_mlp),
        ("w_in", up, "gate_up_proj", both + d_mlp, d_mlp),
        ("w_out", down, "down_proj", first, d_model),
    ];
    for (name, alone, stack, start, len) in parts {
        map.linear(&format!("{ours}.{name}"), &format!("{theirs}.{alone}"), false);
        map.otherwise(format!("{stacks}.{stack}"), true, Cut::Range { start, len });
    }
}

/// Attention as Llama's, and in every layer a router and experts by the names of Qwen's.
pub(super) fn weights(config: &TransformerConfig) -> WeightMap {
    mapped(config, |map, layer| {
        attention(map, config, layer);
        map.linear(&format!("blocks.{layer}.mlp.router"), &format!("model.layers.{layer}.mlp.gate"), false);
        experts(map, config, layer, &PROJECTIONS);
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config;

    #[test]
    fn layers_without_experts_are_refused() {
        for (key, value) in [("decoder_sparse_step", json!(2)), ("mlp_only_layers", json!([0]))] {
            let mut keys = json!({ "model_type": "qwen3_moe", "decoder_sparse_step": 1, "mlp_only_layers": [] });
            config(keys.clone()).unwrap();
            keys[key] = value;
            let said = config(keys).unwrap_err().to_string();
            assert!(said.contains(key) && said.ends_with("so all must have experts"), "{said}");
        }
    }

    #[test]
    fn more_experts_a_token_than_there_are_is_refused() {
        let said = config(json!({ "model_type": "olmoe", "num_experts": 4, "num_experts_per_tok": 5 })).unwrap_err();
        assert_eq!(said.to_string(), "config.json of `olmoe`: `num_experts_per_tok` is 5: there are only 4 experts");
    }
}
