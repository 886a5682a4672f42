//! BERT (Devlin et al., 2018): an encoder with bidirectional attention, token types, norms after each addition and a
//! masked-LM head.

use serde_json::json;

use super::{Cut, Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, NormPlacement, TransformerConfig};

pub(super) const BERT: Family = Family { model_types: &["bert"], config, weights };

/// Keys of the multilingual checkpoints: settings of a pooler, which does not predict tokens.
const POOLER: &[&str] = &[
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
];

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["num_hidden_layers"], 12)?,
        hf.count_or("hidden_size", 768)?,
        hf.count_or("num_attention_heads", 12)?,
    );
    let mut config = TransformerConfig::plain(
        "bert",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 30522)?,
        hf.count_or("max_position_embeddings", 512)?,
    );
    config.d_mlp = hf.count_or("intermediate_size", 3072)?;
    config.activation = ActivationKind::from_hf(hf, "hidden_act", "gelu")?;
    config.norm_eps = hf.number_or("layer_norm_eps", 1e-12)?;
    config.norm_placement = NormPlacement::PostResidual;
    config.token_types = Some(hf.count_or("type_vocab_size", 2)?);
    config.embed_sum_norm = true;
    config.bidirectional = !hf.flag_or("is_decoder", false)?;
    config.tied = hf.tied_or(true)?;
    (config.unembed_transform, config.unembed_bias) = (true, true);
    hf.must_be(
        "position_embedding_type",
        &json!("absolute"),
        "transformers 5 uses \"absolute\" whatever this says; it must be \"absolute\"",
    )?;
    hf.refuse_if("add_cross_attention", true, false, "cross attention is not supported; this must be false")?;
    hf.finish(POOLER)?;
    Ok(config)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("bert.").ignoring(&[
        "bert.embeddings.position_ids",
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    ]);
    map.same("embed.weight", "bert.embeddings.word_embeddings.weight");
    map.same("pos_embed.weight", "bert.embeddings.position_embeddings.weight");
    map.same("type_embed.weight", "bert.embeddings.token_type_embeddings.weight");
    norm(&mut map, "embed_norm", "bert.embeddings.LayerNorm");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("bert.encoder.layer.{layer}"));
        for (name, projection) in
            [("w_q", "self.query"), ("w_k", "self.key"), ("w_v", "self.value"), ("w_o", "output.dense")]
        {
            map.linear(&format!("{ours}.attn.{name}"), &format!("{theirs}.attention.{projection}"), true);
        }
        norm(&mut map, &format!("{ours}.ln1"), &format!("{theirs}.attention.output.LayerNorm"));
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.intermediate.dense"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.output.dense"), true);
        norm(&mut map, &format!("{ours}.ln2"), &format!("{theirs}.output.LayerNorm"));
    }
    map.linear("transform", "cls.predictions.transform.dense", true);
    norm(&mut map, "ln_final", "cls.predictions.transform.LayerNorm");
    if config.tied {
        map.same("unembed.bias", "cls.predictions.bias");
        map.copies.extend([
            ("cls.predictions.decoder.weight", "embed.weight"),
            ("cls.predictions.decoder.bias", "unembed.bias"),
        ]);
    } else {
        map.unembed("cls.predictions.decoder", false, true);
        // transformers 4 always ties the two biases, and saves this one.
        map.twin("cls.predictions.bias");
    }
    map
}

/// The first checkpoints call a norm's weight gamma and its bias beta.
fn norm(map: &mut WeightMap, ours: &str, theirs: &str) {
    for (part, once) in [("weight", "gamma"), ("bias", "beta")] {
        map.same(format!("{ours}.{part}"), format!("{theirs}.{part}"));
        map.otherwise(format!("{theirs}.{once}"), false, Cut::Whole);
    }
}
