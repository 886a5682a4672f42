//! The settings of a GGUF file as transformers' `config.json` has them.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::architecture::Architecture;
use super::container::Container;
use super::value::Value;

/// Settings that change no number: they repeat others, or are about the file.
const HARMLESS: [&str; 7] = [
    "rope.dimension_count",
    "rope.scaling.finetuned",
    "attention.value_length",
    "attention.causal",
    "use_parallel_residual",
    "tensor_data_layout",
    "decoder_start_token_id",
];

/// The config that transformers would have.
///
/// # Errors
///
/// A sentence about a setting that is missing or not supported.
pub(super) fn config(
    container: &Container,
    architecture: &Architecture,
    factors: Option<&[f32]>,
) -> Result<Json, String> {
    let settings = Settings { container, architecture };
    let mut config = Map::new();
    config.insert("model_type".into(), architecture.model_type.into());
    for (key, theirs) in architecture.settings {
        if let Some(value) = settings.get(key) {
            let number = value.json_number().ok_or_else(|| settings.problem(key, value, "must be a number"))?;
            config.insert((*theirs).into(), number);
        }
    }
    settings.width_of_heads(&config)?;
    settings.size_of_vocabulary(&mut config)?;
    settings.rotation(&mut config, factors)?;
    settings.biases(&mut config);
    settings.tokens(&mut config);
    settings.finish()?;
    Ok(config.into())
}

struct Settings<'a> {
    container: &'a Container,
    architecture: &'a Architecture,
}

impl Settings<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.container.table.get(&format!("{}.{key}", self.architecture.name))
    }

    fn problem(&self, key: &str, value: &Value, problem: &str) -> String {
        format!("`{}.{key}` is {}: {problem}", self.architecture.name, value.shown())
    }

    fn has(&self, tensor: &str) -> bool {
        self.container.tensors.contains_key(tensor)
    }

    /// Heads are rotated whole, and values are as wide as keys.
    fn width_of_heads(&self, config: &Map<String, Json>) -> Result<(), String> {
        let get = |key: &str| config.get(key).and_then(Json::as_u64);
        let split =
            get("hidden_size").zip(get("num_attention_heads")).and_then(|(width, heads)| width.checked_div(heads));
        let width = get("head_dim").or(split);
        for key in ["rope.dimension_count", "attention.value_length"] {
            let Some(value) = self.get(key).filter(|_| width.is_some()) else { continue };
            if value.count().map(|count| count as u64) != width {
                return Err(self.problem(key, value, "it must be the width of a head"));
            }
        }
        Ok(())
    }

    /// The embedding has a row for each token, whatever the settings say. An unembedding that is absent is the embedding.
    fn size_of_vocabulary(&self, config: &mut Map<String, Json>) -> Result<(), String> {
        let embedding = self.container.tensors.get("token_embd.weight").and_then(|tensor| tensor.shape.first());
        let rows = embedding.ok_or("it has no `token_embd.weight`, so it is not a whole model; download it again")?;
        config.insert("vocab_size".into(), (*rows).into());
        config.insert("tie_word_embeddings".into(), (!self.has("output.weight")).into());
        Ok(())
    }

    /// llama.cpp keeps Llama 3's frequencies as factors, which `longrope` also has.
    fn rotation(&self, config: &mut Map<String, Json>, factors: Option<&[f32]>) -> Result<(), String> {
        let n_ctx = config.get("max_position_embeddings").cloned().unwrap_or(json!(2048));
        let original = self.get("rope.scaling.original_context_length").and_then(Value::count);
        let factor = self.get("rope.scaling.factor").and_then(Value::json_number);
        let kind = self.get("rope.scaling.type").and_then(Value::text).unwrap_or("none");
        let table = match (factors, kind) {
            (Some(factors), _) => {
                let factors: Vec<f64> = factors.iter().map(|factor| f64::from(*factor)).collect();
                json!({
                    "rope_type": "longrope", "short_factor": factors, "long_factor": factors, "attention_factor": 1.0,
                    "original_max_position_embeddings": original.map_or(n_ctx, Json::from)
                })
            }
            (None, "linear") => json!({ "rope_type": "linear", "factor": factor }),
            (None, "yarn") => {
                json!({ "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original.map_or(n_ctx, Json::from) })
            }
            (None, "none") => return Ok(()),
            _ => {
                return Err(format!(
                    "its rotation is scaled by `{kind}`, but only linear and yarn are read; give the model's checkpoint in safetensors"
                ));
            }
        };
        config.insert("rope_scaling".into(), table);
        Ok(())
    }

    fn biases(&self, config: &mut Map<String, Json>) {
        if self.architecture.model_type == "llama" {
            config.insert("attention_bias".into(), self.has("blk.0.attn_output.bias").into());
            config.insert("mlp_bias".into(), self.has("blk.0.ffn_down.bias").into());
        }
    }

    fn tokens(&self, config: &mut Map<String, Json>) {
        for (ours, theirs) in
            [("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id"), ("padding_token_id", "pad_token_id")]
        {
            if let Some(id) = self.container.table.get(&format!("tokenizer.ggml.{ours}")).and_then(Value::count) {
                config.insert(theirs.into(), id.into());
            }
        }
    }

    /// Refuses a setting of the architecture that nothing here reads.
    fn finish(&self) -> Result<(), String> {
        let rotation = ["rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length"];
        let known: BTreeSet<&str> =
            self.architecture.settings.iter().map(|(key, _)| *key).chain(HARMLESS).chain(rotation).collect();
        let start = format!("{}.", self.architecture.name);
        let strange = self.container.table.iter().find_map(|(key, value)| {
            let key = key.strip_prefix(&start)?;
            let off = value.number() == Some(0.0) || value.flag() == Some(false);
            (!known.contains(key) && !off).then(|| {
                self.problem(
                    key,
                    value,
                    "this setting is not read and might change the numbers; give the model's checkpoint in safetensors",
                )
            })
        });
        strange.map_or(Ok(()), Err)
    }
}
