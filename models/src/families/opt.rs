//! OPT (Zhang et al., 2022): learned positions from row 2 on; the 350m model has post norms and a narrow embedding.

use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, NormPlacement, Positions, TransformerConfig};

pub(super) const OPT: Family = Family { model_types: &["opt"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["num_hidden_layers"], 12)?,
        hf.count_or("hidden_size", 768)?,
        hf.count_or("num_attention_heads", 12)?,
    );
    let mut config = TransformerConfig::plain(
        "opt",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 50272)?,
        hf.count_or("max_position_embeddings", 2048)?,
    );
    config.d_mlp = hf.count_or("ffn_dim", 3072)?;
    config.activation = ActivationKind::from_hf(hf, "activation_function", "relu")?;
    config.tied = hf.tied_or(true)?;
    config.positions = Positions::Learned { offset: 2 };
    config.d_embed = hf.optional_count("word_embed_proj_dim")?.filter(|width| *width != d_model);
    let bias = hf.flag_or("enable_bias", true)?;
    (config.qkv_bias, config.attn_out_bias, config.mlp_bias) = (bias, bias, bias);
    let before = hf.flag_or("do_layer_norm_before", true)?;
    config.norm_placement = if before { NormPlacement::Pre } else { NormPlacement::PostResidual };
    config.final_norm = !hf.flag_or("_remove_final_layer_norm", false)? && before;
    hf.refuse_if(
        "layer_norm_elementwise_affine",
        false,
        true,
        "norms without weights are not supported; this must be true",
    )?;
    hf.finish(&[])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("model.");
    map.same("embed.weight", "model.decoder.embed_tokens.weight");
    map.same("pos_embed.weight", "model.decoder.embed_positions.weight");
    if config.d_embed.is_some() {
        map.linear("project_in", "model.decoder.project_in", false);
        map.linear("project_out", "model.decoder.project_out", false);
    }
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("model.decoder.layers.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.self_attn_layer_norm"), true);
        map.norm(&format!("{ours}.ln2"), &format!("{theirs}.final_layer_norm"), true);
        for (name, projection) in [("w_q", "q_proj"), ("w_k", "k_proj"), ("w_v", "v_proj"), ("w_o", "out_proj")] {
            map.linear(&format!("{ours}.attn.{name}"), &format!("{theirs}.self_attn.{projection}"), config.qkv_bias);
        }
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.fc1"), config.mlp_bias);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.fc2"), config.mlp_bias);
    }
    if config.final_norm {
        map.norm("ln_final", "model.decoder.final_layer_norm", true);
    }
    map.unembed("lm_head", config.tied, false);
    map
}
