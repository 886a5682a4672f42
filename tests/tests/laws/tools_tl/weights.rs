//! Processed weights in `TransformerLens`'s layout.

use arrakis::models::transformer::{Positions, TransformerConfig};
use arrakis::models::{HookedTransformer, device};
use arrakis::prelude::Tensor;

use super::case::{Case, Numbers, compare};

#[test]
fn every_processed_weight_agrees() {
    Case::each(|case| {
        if case.mode == "raw" {
            return;
        }
        let weights = case.weights();
        assert_eq!(weights.len() + case.left_out("weights/").len(), count(case.model.config()), "{}", case.name);
        for (name, expected) in weights {
            let (expected, shape) =
                if name.contains("attn._") { repeated(expected, case.model.config().n_heads) } else { expected };
            let (found, dims) = weight(&case.model, &name);
            assert_eq!(dims, shape, "{} {name}: shape", case.name);
            compare(&format!("{} {name}", case.name), &found, &expected);
        }
    });
}

/// How many tensors `TransformerLens` has for an architecture. It stores zeros for biases that do not exist.
fn count(config: &TransformerConfig) -> usize {
    let a_block = if config.gated_mlp { 13 } else { 12 };
    let learned_positions = matches!(config.positions, Positions::Learned { .. });
    config.n_layers * a_block + 3 + usize::from(learned_positions)
}

/// A gated MLP has a gate. For a plain one, asking for the gate is an error that says so.
#[test]
fn a_gate_exists_only_in_a_gated_mlp() {
    Case::each(|case| {
        let config = case.model.config();
        match case.model.w_gate(0) {
            Ok(gate) => assert!(config.gated_mlp && gate.dims() == [config.d_model, config.d_mlp], "{}", case.name),
            Err(error) => {
                assert_eq!(error.to_string(), "this model has no `W_gate`: its MLP is not gated; see `w_in`");
            }
        }
        assert_eq!(case.model.b_gate(0).is_ok(), config.gated_mlp, "{}", case.name);
        assert!(case.model.b_q(config.n_layers).is_err() && case.model.b_in(config.n_layers).is_err());
    });
}

/// Repeats grouped heads: `TransformerLens` stores each once; here each query head gets its own.
fn repeated((values, mut shape): Numbers, n_heads: usize) -> Numbers {
    let (kv_heads, head) = (shape[0], values.len() / shape[0]);
    shape[0] = n_heads;
    (values.chunks(head).flat_map(|head| head.repeat(n_heads / kv_heads)).collect(), shape)
}

fn weight(model: &HookedTransformer, name: &str) -> Numbers {
    let Some((layer, part)) = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) else {
        return outer(model, name);
    };
    let layer = layer.parse().unwrap();
    match part {
        "attn.W_Q" => numbers(model.w_q(layer).unwrap()),
        "attn.W_K" | "attn._W_K" => numbers(model.w_k(layer).unwrap()),
        "attn.W_V" | "attn._W_V" => numbers(model.w_v(layer).unwrap()),
        "attn.W_O" => numbers(model.w_o(layer).unwrap()),
        "attn.b_Q" => numbers(model.b_q(layer).unwrap()),
        "attn.b_K" | "attn._b_K" => numbers(model.b_k(layer).unwrap()),
        "attn.b_V" | "attn._b_V" => numbers(model.b_v(layer).unwrap()),
        "attn.b_O" => numbers(model.b_o(layer).unwrap()),
        "mlp.W_in" => numbers(model.w_in(layer).unwrap()),
        "mlp.W_gate" => numbers(model.w_gate(layer).unwrap()),
        "mlp.W_out" => numbers(model.w_out(layer).unwrap()),
        "mlp.b_in" => numbers(model.b_in(layer).unwrap()),
        "mlp.b_out" => numbers(model.b_out(layer).unwrap()),
        _ => panic!("no weight for {name}"),
    }
}

fn outer(model: &HookedTransformer, name: &str) -> Numbers {
    match name {
        "embed.W_E" => numbers(model.w_e()),
        "pos_embed.W_pos" => numbers(model.w_pos().unwrap()),
        "unembed.W_U" => numbers(model.w_u()),
        "unembed.b_U" => numbers(model.b_u()),
        _ => panic!("no weight for {name}"),
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers {
    let shape = tensor.dims().to_vec();
    (device::read(tensor).unwrap(), shape)
}
