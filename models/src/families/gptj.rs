//! GPT-J (Wang and Komatsuzaki, 2021): parallel blocks with one norm, rotated pairs of neighbours.

use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, BlockLayout, Positions, Rope, RopeScaling, TransformerConfig};

pub(super) const GPTJ: Family = Family { model_types: &["gptj"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["n_layer", "num_hidden_layers"], 28)?,
        hf.count_by(&["n_embd", "hidden_size"], 4096)?,
        hf.count_by(&["n_head", "num_attention_heads"], 16)?,
    );
    let mut config = TransformerConfig::plain(
        "gptj",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 50400)?,
        hf.count_by(&["n_positions", "max_position_embeddings"], 2048)?,
    );
    config.d_mlp = hf.optional_count("n_inner")?.unwrap_or(4 * d_model);
    config.activation = ActivationKind::from_hf(hf, "activation_function", "gelu_new")?;
    config.norm_eps = hf.number_or("layer_norm_epsilon", 1e-5)?;
    config.tied = hf.tied_or(false)?;
    (config.qkv_bias, config.attn_out_bias, config.unembed_bias) = (false, false, true);
    config.block_layout = BlockLayout::ParallelSharedNorm;
    let dims = hf
        .nullable_count("rotary_dim", Some(64))?
        .ok_or_else(|| hf.problem("rotary_dim", "must be the number of rotated dimensions of a head"))?;
    let rope = Rope { theta: 10_000.0, dims, interleaved: true, scaling: RopeScaling::Default };
    config.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0; n_layers] };
    for key in ["rotary", "scale_attn_weights"] {
        hf.refuse_if(key, false, true, "transformers takes this as true whatever it says; it must be true")?;
    }
    hf.finish(&["n_ctx"])?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("transformer.").ignoring(&["attn.bias", "attn.masked_bias"]);
    map.same("embed.weight", "transformer.wte.weight");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("transformer.h.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.ln_1"), true);
        for (name, projection) in [("w_q", "q_proj"), ("w_k", "k_proj"), ("w_v", "v_proj"), ("w_o", "out_proj")] {
            map.linear(&format!("{ours}.attn.{name}"), &format!("{theirs}.attn.{projection}"), false);
        }
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.fc_in"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.fc_out"), true);
    }
    map.norm("ln_final", "transformer.ln_f", true);
    map.unembed("lm_head", config.tied, true);
    map
}
