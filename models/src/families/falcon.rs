//! Falcon (Almazrouei et al., 2023): parallel blocks, few key heads, rotary positions or a linear penalty.

use super::decoder::fused_by_head;
use super::rope::whole_head;
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, BlockLayout, Positions, Rope, TransformerConfig};

pub(super) const FALCON: Family = Family { model_types: &["falcon"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let d_model = hf.count_by(&["n_embed", "hidden_size"], 4544)?;
    let (n_layers, n_heads) = (hf.layers_by(&["num_hidden_layers"], 32)?, hf.count_or("num_attention_heads", 71)?);
    let mut config = TransformerConfig::plain(
        "falcon",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 65024)?,
        hf.count_or("max_position_embeddings", 2048)?,
    );
    config.d_mlp = hf.optional_count("ffn_hidden_size")?.unwrap_or(4 * d_model);
    config.activation = ActivationKind::from_hf(hf, "activation", "gelu")?;
    config.norm_eps = hf.number_or("layer_norm_epsilon", 1e-5)?;
    config.tied = hf.tied_or(true)?;
    let bias = hf.flag_or("bias", false)?;
    (config.qkv_bias, config.attn_out_bias, config.mlp_bias) = (bias, bias, bias);
    config.n_kv_heads = key_heads(hf, n_heads)?;
    config.block_layout = layout(hf)?;
    config.positions = positions(hf, &config)?;
    hf.refuse_if(
        "apply_residual_connection_post_layernorm",
        true,
        false,
        "only residuals taken before the norm are supported; this must be false",
    )?;
    // In Falcon 11B's config. transformers does not read it: `ffn_hidden_size` gives the width of the MLP.
    hf.finish(&["ff_factor"])?;
    Ok(config)
}

/// `num_kv_heads` applies only to the new architecture. The old one has one key head for each query head, or one in
/// all.
fn key_heads(hf: &HfConfig, n_heads: usize) -> Result<usize> {
    let (given, one) = (hf.optional_count("num_kv_heads")?.unwrap_or(n_heads), hf.flag_or("multi_query", true)?);
    if hf.flag_or("new_decoder_architecture", false)? {
        return Ok(given);
    }
    if !one && given != n_heads {
        return Err(hf.problem(
            "num_kv_heads",
            format!(
                "must be {n_heads}, the number of query heads, unless new_decoder_architecture or multi_query is true"
            ),
        ));
    }
    Ok(if one { 1 } else { n_heads })
}

fn layout(hf: &HfConfig) -> Result<BlockLayout> {
    let (new, parallel) = (hf.flag_or("new_decoder_architecture", false)?, hf.flag_or("parallel_attn", true)?);
    let norms = hf.optional_count("num_ln_in_parallel_attn")?;
    match (new, parallel, norms.unwrap_or(if new { 2 } else { 1 })) {
        (false, false, _) => Ok(BlockLayout::Serial),
        (_, true, 1) => Ok(BlockLayout::ParallelSharedNorm),
        (true, true, 2) => Ok(BlockLayout::Parallel),
        (true, false, _) => Err(hf.problem("parallel_attn", "must be true with new_decoder_architecture")),
        (_, true, _) => Err(hf.problem("num_ln_in_parallel_attn", "must be 1, or 2 with new_decoder_architecture")),
    }
}

/// The penalty is added to the scores once, as in the original code and by default in transformers. The eager attention
/// of transformers 5 adds it a second time, in the mask.
fn positions(hf: &HfConfig, config: &TransformerConfig) -> Result<Positions> {
    let rope = Rope::from_hf(hf, config.d_head, config.n_ctx, 10_000.0, 1.0)?;
    if hf.flag_or("alibi", false)? {
        return Ok(Positions::Alibi { scaled: true });
    }
    whole_head(hf, &rope, config.d_head)?;
    Ok(Positions::Rotary { ropes: vec![rope], by_layer: vec![0; config.n_layers] })
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("transformer.");
    map.same("embed.weight", "transformer.word_embeddings.weight");
    let norms: &[(&str, &str)] = match config.block_layout {
        BlockLayout::Serial => &[("ln1", "input_layernorm"), ("ln2", "post_attention_layernorm")],
        BlockLayout::Parallel => &[("ln1", "ln_attn"), ("ln2", "ln_mlp")],
        BlockLayout::ParallelSharedNorm => &[("ln1", "input_layernorm")],
    };
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("transformer.h.{layer}"));
        for (name, norm) in norms {
            map.norm(&format!("{ours}.{name}"), &format!("{theirs}.{norm}"), true);
        }
        fused_by_head(&mut map, config, layer, &format!("{theirs}.self_attention.query_key_value"));
        map.linear(&format!("{ours}.attn.w_o"), &format!("{theirs}.self_attention.dense"), config.attn_out_bias);
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.dense_h_to_4h"), config.mlp_bias);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.dense_4h_to_h"), config.mlp_bias);
    }
    map.norm("ln_final", "transformer.ln_f", true);
    map.unembed("lm_head", config.tied, false);
    map
}
