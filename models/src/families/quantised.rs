//! Refuses configs of quantised weights, in the spelling of each library that writes them.

use serde_json::{Map, Value};

use super::keys::is_off;

/// The keys that say so: transformers' own, MLX's, and the older one of compressed-tensors.
const KEYS: [&str; 3] = ["quantization_config", "quantization", "compression_config"];

/// What libraries call themselves in `quant_method`, and what they are called.
const METHODS: [(&str, &str); 12] = [
    ("bitsandbytes", "bitsandbytes"),
    ("gptq", "GPTQ"),
    ("awq", "AWQ"),
    ("fp8", "FP8"),
    ("fbgemm_fp8", "FP8"),
    ("mxfp4", "MXFP4"),
    ("compressed-tensors", "compressed-tensors"),
    ("torchao", "torchao"),
    ("hqq", "HQQ"),
    ("aqlm", "AQLM"),
    ("quanto", "Quanto"),
    ("exl2", "EXL2"),
];

/// The key of a config that says its weights are quantised, and what to do about it.
pub(super) fn quantised(keys: &Map<String, Value>) -> Option<(&'static str, String)> {
    let said = |key: &&str| keys.get(*key).is_some_and(|value| !value.is_null() && !is_off(value));
    let key = KEYS.iter().copied().find(said)?;
    let method = method(key, &keys[key]);
    Some((
        key,
        format!(
            "the weights are quantised ({method}), and only F64, F32, F16 and BF16 are read; give the checkpoint it was made from, or \
             widen it in Python: `model.dequantize()`, then `model.save_pretrained(..)`"
        ),
    ))
}

fn method(key: &str, value: &Value) -> String {
    if key == "quantization" && value.get("group_size").is_some() {
        return "MLX".into();
    }
    let named = value.get("quant_method").and_then(Value::as_str);
    let known = named.and_then(|named| METHODS.iter().find(|(method, _)| *method == named));
    match (known, named) {
        (Some((_, name)), _) => (*name).into(),
        (None, Some(named)) => named.escape_debug().take(40).collect(),
        (None, None) => "the method is not named".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(key: &str, value: Value) -> String {
        let mut config = json!({ "model_type": "llama" });
        config[key] = value;
        crate::families::config(config).map(drop).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn every_library_is_named() {
        assert_eq!(
            said("quantization_config", json!({ "quant_method": "gptq", "bits": 4 })),
            "config.json of `llama`: `quantization_config` is {\"quant_method\":\"gptq\",\"bits\":4}: the weights are quantised \
             (GPTQ), and only F64, F32, F16 and BF16 are read; give the checkpoint it was made from, or widen it in Python: \
             `model.dequantize()`, then `model.save_pretrained(..)`"
        );
        for (key, value, method) in [
            ("quantization_config", json!({ "load_in_4bit": true, "quant_method": "bitsandbytes" }), "(bitsandbytes)"),
            ("quantization", json!({ "group_size": 64, "bits": 4 }), "(MLX)"),
            ("compression_config", json!({ "quant_method": "compressed-tensors" }), "(compressed-tensors)"),
            ("quantization_config", json!({ "quant_method": "new" }), "(new)"),
            ("quantization_config", json!({ "bits": 4 }), "(the method is not named)"),
        ] {
            assert!(said(key, value).contains(method), "{method}");
        }
        for off in [json!(null), json!({})] {
            assert_eq!(said("quantization_config", off), "");
        }
    }
}
