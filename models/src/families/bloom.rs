//! BLOOM (Workshop, 2022): a penalty linear in distance, a norm on the embedding, fused by head.

use serde_json::json;

use super::decoder::fused_by_head;
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, NormPlacement, Positions, TransformerConfig};

pub(super) const BLOOM: Family = Family { model_types: &["bloom"], config, weights };

/// Keys of training code that transformers does not read.
const TRAINING: &[&str] = &[
    "attention_softmax_in_fp32",
    "bias_dropout_fusion",
    "masked_softmax_fusion",
    "offset_alibi",
    "skip_bias_add",
    "skip_bias_add_qkv",
];

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let d_model = hf.count_by(&["n_embed", "hidden_size"], 64)?;
    let (n_layers, n_heads) =
        (hf.layers_by(&["n_layer", "num_hidden_layers"], 2)?, hf.count_by(&["n_head", "num_attention_heads"], 8)?);
    let mut config = TransformerConfig::plain(
        "bloom",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 250_880)?,
        hf.count_or("seq_length", 2048)?,
    );
    config.activation = ActivationKind::GeluTanh;
    config.norm_eps = hf.number_or("layer_norm_epsilon", 1e-5)?;
    config.tied = hf.tied_or(true)?;
    config.embed_norm = true;
    config.positions = Positions::Alibi { scaled: false };
    hf.must_be("n_inner", &json!(4 * d_model), "BLOOM's MLPs are four times as wide as its stream; this must be null")?;
    if hf.flag_or("apply_residual_connection_post_layernorm", false)? {
        config.norm_placement = NormPlacement::Carried;
    }
    exactness(hf)?;
    hf.finish(TRAINING)?;
    Ok(config)
}

/// If it splits output projections into parts, transformers leaves out their biases.
fn exactness(hf: &HfConfig) -> Result<()> {
    if hf.flag_or("slow_but_exact", false)? && hf.count_or("pretraining_tp", 1)? > 1 {
        return Err(hf.problem(
            "slow_but_exact",
            "with pretraining_tp above 1 transformers leaves out biases; set this to false, or pretraining_tp to 1",
        ));
    }
    Ok(())
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("transformer.");
    map.same("embed.weight", "transformer.word_embeddings.weight");
    map.norm("embed_norm", "transformer.word_embeddings_layernorm", true);
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("transformer.h.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.input_layernorm"), true);
        map.norm(&format!("{ours}.ln2"), &format!("{theirs}.post_attention_layernorm"), true);
        fused_by_head(&mut map, config, layer, &format!("{theirs}.self_attention.query_key_value"));
        map.linear(&format!("{ours}.attn.w_o"), &format!("{theirs}.self_attention.dense"), true);
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.dense_h_to_4h"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.dense_4h_to_h"), true);
    }
    map.norm("ln_final", "transformer.ln_f", true);
    map.unembed("lm_head", config.tied, false);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_projections_that_leave_out_biases_are_refused() {
        let hf = |parts: u32| {
            HfConfig::new(json!({ "model_type": "bloom", "slow_but_exact": true, "pretraining_tp": parts }))
        };
        assert!(exactness(&hf(1).unwrap()).is_ok());
        assert!(exactness(&hf(2).unwrap()).unwrap_err().to_string().contains("`slow_but_exact` is true"));
    }
}
