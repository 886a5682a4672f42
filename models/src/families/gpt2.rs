//! GPT-2 (Radford et al., 2019): learned positions, fused `[in, out]` projections, tied.

use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, TransformerConfig};

pub(super) const GPT2: Family = Family { model_types: &["gpt2"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["n_layer", "num_hidden_layers"], 12)?,
        hf.count_by(&["n_embd", "hidden_size"], 768)?,
        hf.count_by(&["n_head", "num_attention_heads"], 12)?,
    );
    let mut config = TransformerConfig::plain(
        "gpt2",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 50257)?,
        hf.count_by(&["n_positions", "max_position_embeddings"], 1024)?,
    );
    config.d_mlp = hf.optional_count("n_inner")?.unwrap_or(4 * d_model);
    config.activation = ActivationKind::from_hf(hf, "activation_function", "gelu_new")?;
    config.norm_eps = hf.number_or("layer_norm_epsilon", 1e-5)?;
    config.tied = hf.tied_or(true)?;
    scales(hf, &mut config)?;
    hf.refuse_if("add_cross_attention", true, false, "cross attention is not supported; this must be false")?;
    // Keys of the first checkpoints, which transformers does not read.
    hf.finish(&["n_ctx", "n_special", "predict_special_tokens"])?;
    Ok(config)
}

/// Scores are divided by the root of `d_head`, by the layer's number (from 1), by both or by neither.
fn scales(hf: &HfConfig, config: &mut TransformerConfig) -> Result<()> {
    if !hf.flag_or("scale_attn_weights", true)? {
        config.attn_scales = vec![1.0; config.n_layers];
    }
    if hf.flag_or("scale_attn_by_inverse_layer_idx", false)? {
        for (layer, scale) in config.attn_scales.iter_mut().enumerate() {
            *scale /= (layer + 1) as f64;
        }
    }
    Ok(())
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("transformer.").ignoring(&["attn.bias", "attn.masked_bias"]);
    let d_model = config.d_model;
    map.same("embed.weight", "transformer.wte.weight");
    map.same("pos_embed.weight", "transformer.wpe.weight");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("transformer.h.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.ln_1"), true);
        map.norm(&format!("{ours}.ln2"), &format!("{theirs}.ln_2"), true);
        for (part, name) in ["w_q", "w_k", "w_v"].into_iter().enumerate() {
            let cut = Cut::Range { start: part * d_model, len: d_model };
            map.projection(&format!("{ours}.attn.{name}"), &format!("{theirs}.attn.c_attn"), false, true, cut);
        }
        map.projection(&format!("{ours}.attn.w_o"), &format!("{theirs}.attn.c_proj"), false, true, Cut::Whole);
        map.projection(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.c_fc"), false, true, Cut::Whole);
        map.projection(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.c_proj"), false, true, Cut::Whole);
    }
    map.norm("ln_final", "transformer.ln_f", true);
    map.unembed("lm_head", config.tied, false);
    map
}
