//! Models that read images and text: the config of their language model, which runs on text alone.

use serde_json::{Map, Value};

/// The `model_type`s whose language model is a decoder of its own, and the language model's if the config does not say it.
const KINDS: [(&str, &str); 18] = [
    ("gemma3", "gemma3_text"),
    ("gemma3n", "gemma3n_text"),
    ("got_ocr2", "qwen2"),
    ("idefics3", "llama"),
    ("internvl", "qwen2"),
    ("llama4", "llama4_text"),
    ("llava", "llama"),
    ("llava_next", "llama"),
    ("llava_next_video", "llama"),
    ("llava_onevision", "qwen2"),
    ("mistral3", "mistral"),
    ("qwen2_5_vl", "qwen2_5_vl_text"),
    ("qwen2_vl", "qwen2_vl_text"),
    ("qwen3_vl", "qwen3_vl_text"),
    ("qwen3_vl_moe", "qwen3_vl_moe_text"),
    ("smolvlm", "llama"),
    ("video_llava", "llama"),
    ("vipllava", "llama"),
];

/// Language models that are another architecture as long as there is no image.
const SAME: [(&str, &str); 3] = [("qwen2_vl_text", "qwen2"), ("qwen2_5_vl_text", "qwen2"), ("qwen3_vl_text", "qwen3")];

/// Keys of the whole that hold for the language model too.
const SHARED: [&str; 7] = [
    "tie_word_embeddings",
    "quantization_config",
    "torch_dtype",
    "dtype",
    "bos_token_id",
    "eos_token_id",
    "transformers_version",
];

/// The config of the language model; any other config as it is.
pub(crate) fn text_config(json: Value) -> Value {
    let named = json.get("model_type").and_then(Value::as_str);
    let Some((_, usual)) = KINDS.iter().find(|(kind, _)| Some(*kind) == named) else { return json };
    let (Value::Object(whole), inner) = (&json, json.get("text_config").and_then(Value::as_object)) else {
        return json;
    };
    let mut text = match inner {
        Some(inner) => inner.clone(),
        // The first checkpoints of Qwen 2 VL have the keys of the language model beside `vision_config`.
        None if whole.contains_key("vision_config") => {
            let mut text = whole.clone();
            text.shift_remove("vision_config");
            text.insert("model_type".into(), (*usual).into());
            text
        }
        None => return json,
    };
    for key in SHARED {
        if let Some(value) = whole.get(key) {
            text.insert(key.into(), value.clone());
        }
    }
    let kind = text.get("model_type").and_then(Value::as_str).unwrap_or(usual);
    let same = SAME.iter().find(|(other, _)| *other == kind).map_or(kind, |(_, same)| *same).to_owned();
    text.insert("model_type".into(), same.into());
    text.shift_remove("architectures");
    one_position(&mut text);
    text.into()
}

/// Qwen gives a token three positions, of time, height and width. Without images they are equal, and the rotation is the
/// usual one.
fn one_position(text: &mut Map<String, Value>) {
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(Value::Object(table)) = text.get_mut(key) else { continue };
        if table.shift_remove("mrope_section").is_none() {
            continue;
        }
        table.shift_remove("mrope_interleaved");
        for kind in ["type", "rope_type"] {
            if let Some(kind) = table.get_mut(kind).filter(|kind| *kind == "mrope") {
                *kind = "default".into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::families::config;

    #[test]
    fn the_language_model_is_found_by_its_own_name() {
        let whole = json!({
            "model_type": "llava", "tie_word_embeddings": false, "vision_config": {},
            "text_config": { "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64 }
        });
        assert_eq!(
            text_config(whole),
            json!({ "model_type": "llama", "hidden_size": 64, "tie_word_embeddings": false })
        );
        let plain = json!({ "model_type": "llama", "text_config": {} });
        assert_eq!(text_config(plain.clone()), plain);
        let unknown = json!({ "model_type": "gemma3n", "text_config": { "model_type": "gemma3n_text" } });
        assert!(config(unknown).unwrap_err().to_string().contains("the architecture `gemma3n_text` is not known"));
        let bare = json!({ "model_type": "llama4", "text_config": {} });
        assert!(config(bare).unwrap_err().to_string().contains("the architecture `llama4_text` is not known"));
    }

    #[test]
    fn three_equal_positions_are_one() {
        let published = json!({
            "model_type": "qwen2_5_vl", "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 1e6,
            "rope_scaling": { "type": "mrope", "mrope_section": [2, 3, 3] }, "vision_config": { "depth": 1 }, "image_token_id": 3,
            "vision_start_token_id": 1
        });
        let plain = json!({
            "model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 1e6
        });
        assert_eq!(config(published).unwrap(), config(plain).unwrap());
    }
}
