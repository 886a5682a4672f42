//! GPT-NeoX (Black et al., 2022; the Pythia models): parallel blocks, a quarter of each head rotated, fused by head.

use super::decoder::fused_by_head;
use super::rope::{RopeReader, rope_table};
use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, BlockLayout, Positions, TransformerConfig};

pub(super) const GPT_NEOX: Family = Family { model_types: &["gpt_neox"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["num_hidden_layers"], 44)?,
        hf.count_or("hidden_size", 6144)?,
        hf.count_or("num_attention_heads", 64)?,
    );
    let mut config = TransformerConfig::plain(
        "gpt_neox",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 50432)?,
        hf.count_or("max_position_embeddings", 2048)?,
    );
    config.d_mlp = hf.count_or("intermediate_size", 24576)?;
    config.activation = ActivationKind::from_hf(hf, "hidden_act", "gelu")?;
    config.norm_eps = hf.number_or("layer_norm_eps", 1e-5)?;
    config.tied = hf.tied_or(false)?;
    let bias = hf.flag_or("attention_bias", true)?;
    (config.qkv_bias, config.attn_out_bias) = (bias, bias);
    if hf.flag_or("use_parallel_residual", true)? {
        config.block_layout = BlockLayout::Parallel;
    }
    let (theta, fraction) = (hf.number_or("rotary_emb_base", 10_000.0)?, hf.number_or("rotary_pct", 0.25)?);
    let original = hf.optional_count("original_max_position_embeddings")?;
    // Later releases of transformers 4 also write both under the names that other architectures use.
    for (key, number) in [("rope_theta", theta), ("partial_rotary_factor", fraction)] {
        if hf.number_or(key, number)? != number {
            return Err(hf.problem(
                key,
                "transformers reads rotary_emb_base and rotary_pct instead; remove this, or make it the same",
            ));
        }
    }
    let rope = RopeReader { d_head: config.d_head, n_ctx: config.n_ctx, theta, fraction, original }
        .read(hf, rope_table(hf)?.as_ref())?;
    config.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0; n_layers] };
    hf.finish(&[])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("gpt_neox.").ignoring(&["attention.bias", "attention.masked_bias"]);
    map.same("embed.weight", "gpt_neox.embed_in.weight");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("gpt_neox.layers.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.input_layernorm"), true);
        map.norm(&format!("{ours}.ln2"), &format!("{theirs}.post_attention_layernorm"), true);
        fused_by_head(&mut map, config, layer, &format!("{theirs}.attention.query_key_value"));
        map.linear(&format!("{ours}.attn.w_o"), &format!("{theirs}.attention.dense"), config.attn_out_bias);
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.dense_h_to_4h"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.dense_4h_to_h"), true);
    }
    map.norm("ln_final", "gpt_neox.final_layer_norm", true);
    map.unembed("embed_out", config.tied, false);
    if config.tied {
        map.copies.push(("embed_out.weight", "embed.weight"));
    } else {
        map.otherwise("lm_head.weight", true, Cut::Whole);
    }
    map
}
