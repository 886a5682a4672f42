//! GPT-Neo (Black et al., 2021; also the `TinyStories` models): scores are not scaled, every other layer has a window.

use serde_json::Value;

use super::check::MOST_LAYERS;
use super::{Family, HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::{ActivationKind, TransformerConfig};

pub(super) const GPT_NEO: Family = Family { model_types: &["gpt_neo"], config, weights };

fn config(hf: &HfConfig) -> Result<TransformerConfig> {
    let (n_layers, d_model, n_heads) = (
        hf.layers_by(&["num_layers", "num_hidden_layers"], 24)?,
        hf.count_or("hidden_size", 2048)?,
        hf.count_by(&["num_heads", "num_attention_heads"], 16)?,
    );
    let mut config = TransformerConfig::plain(
        "gpt_neo",
        n_layers,
        d_model,
        n_heads,
        hf.count_or("vocab_size", 50257)?,
        hf.count_or("max_position_embeddings", 2048)?,
    );
    config.d_mlp = hf.optional_count("intermediate_size")?.unwrap_or(4 * d_model);
    config.activation = ActivationKind::from_hf(hf, "activation_function", "gelu_new")?;
    config.norm_eps = hf.number_or("layer_norm_epsilon", 1e-5)?;
    config.tied = hf.tied_or(true)?;
    config.qkv_bias = false;
    config.attn_scales = vec![1.0; n_layers];
    config.windows = windows(hf, n_layers)?;
    hf.finish(&[])?;
    Ok(config)
}

fn windows(hf: &HfConfig, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let window = hf.count_or("window_size", 256)?;
    let (key, kinds) = layer_kinds(hf)?;
    if kinds.len() != n_layers {
        return Err(
            hf.problem(key, format!("must name a kind for each of the {n_layers} layers; it names {}", kinds.len()))
        );
    }
    let windows = kinds.iter().map(|kind| match kind.as_str() {
        "global" => Ok(None),
        "local" => Ok(Some(window)),
        _ => Err(hf.problem(key, format!("`{kind}` is not known; known: global, local"))),
    });
    windows.collect()
}

/// `attention_layers`, or `attention_types` written out; both must say the same.
fn layer_kinds(hf: &HfConfig) -> Result<(&'static str, Vec<String>)> {
    let listed = hf.optional_words("attention_layers")?;
    let expanded = match hf.value("attention_types") {
        Some(types) => Some(expand(types).ok_or_else(|| {
            hf.problem(
                "attention_types",
                "must look like [[[\"global\", \"local\"], 6]]: kinds and how often they repeat",
            )
        })?),
        None => None,
    };
    match (listed, expanded) {
        (Some(listed), Some(expanded)) if listed != expanded => {
            Err(hf.problem("attention_layers", "`attention_types` says something else; keep one of the two"))
        }
        (Some(listed), _) => Ok(("attention_layers", listed)),
        (None, Some(expanded)) => Ok(("attention_types", expanded)),
        (None, None) => {
            Ok(("attention_types", ["global", "local"].repeat(12).into_iter().map(str::to_owned).collect()))
        }
    }
}

/// Expands `[[["global", "local"], 2]]` to global, local, global, local. `None` if that gives more kinds than a model
/// may have layers.
fn expand(types: &Value) -> Option<Vec<String>> {
    let mut kinds = Vec::new();
    for item in types.as_array()? {
        let [names, times] = item.as_array()?.as_slice() else {
            return None;
        };
        let names: Vec<&str> = names.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
        let times = times.as_u64().filter(|times| *times <= MOST_LAYERS as u64)?;
        if kinds.len() + names.len().checked_mul(times as usize)? > MOST_LAYERS {
            return None;
        }
        kinds.extend(names.repeat(times as usize).into_iter().map(str::to_owned));
    }
    Some(kinds)
}

fn weights(config: &TransformerConfig) -> WeightMap {
    let mut map = WeightMap::new("transformer.").ignoring(&["attn.attention.bias", "attn.attention.masked_bias"]);
    map.same("embed.weight", "transformer.wte.weight");
    map.same("pos_embed.weight", "transformer.wpe.weight");
    for layer in 0..config.n_layers {
        let (ours, theirs) = (format!("blocks.{layer}"), format!("transformer.h.{layer}"));
        map.norm(&format!("{ours}.ln1"), &format!("{theirs}.ln_1"), true);
        map.norm(&format!("{ours}.ln2"), &format!("{theirs}.ln_2"), true);
        for (name, projection, bias) in
            [("w_q", "q_proj", false), ("w_k", "k_proj", false), ("w_v", "v_proj", false), ("w_o", "out_proj", true)]
        {
            map.linear(&format!("{ours}.attn.{name}"), &format!("{theirs}.attn.attention.{projection}"), bias);
        }
        map.linear(&format!("{ours}.mlp.w_in"), &format!("{theirs}.mlp.c_fc"), true);
        map.linear(&format!("{ours}.mlp.w_out"), &format!("{theirs}.mlp.c_proj"), true);
    }
    map.norm("ln_final", "transformer.ln_f", true);
    map.unembed("lm_head", config.tied, false);
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attention_types_are_written_out() {
        assert_eq!(
            expand(&json!([[["global", "local"], 2], [["local"], 1]])).unwrap(),
            ["global", "local", "global", "local", "local"]
        );
        assert_eq!(expand(&json!([["global", 2]])), None);
        assert_eq!(expand(&json!([[["global", "local"], 5_001]])), None);
    }

    #[test]
    fn the_default_pattern_must_fit_the_layers() {
        let hf = HfConfig::new(json!({ "model_type": "gpt_neo", "num_layers": 4 })).unwrap();
        let error = config(&hf).unwrap_err().to_string();
        assert!(error.contains("`attention_types`") && error.contains("each of the 4 layers; it names 24"), "{error}");
    }
}
