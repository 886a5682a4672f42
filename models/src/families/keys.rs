//! The keys of `config.json` that language models read.

use serde_json::Value;

/// One a line, in order; `keys.py` writes them from the code of transformers.
const READ: &str = include_str!("keys.txt");

/// Words for parts of an architecture. A key with one of them speaks of code that transformers does not have.
const PARTS: [&str; 41] = [
    "act",
    "activation",
    "alibi",
    "attention",
    "attn",
    "bias",
    "bidirectional",
    "causal",
    "conv",
    "cross",
    "embed",
    "embedding",
    "embeddings",
    "eps",
    "expert",
    "experts",
    "ffn",
    "gate",
    "gated",
    "head",
    "heads",
    "hidden",
    "layer",
    "layernorm",
    "layers",
    "mask",
    "mlp",
    "moe",
    "multiplier",
    "norm",
    "position",
    "positions",
    "qkv",
    "residual",
    "rope",
    "rotary",
    "router",
    "scale",
    "scaling",
    "softcap",
    "window",
];

/// Whether a key may change numbers: some language model of transformers reads it, or it names a part of one.
pub(super) fn may_change_numbers(key: &str) -> bool {
    READ.lines().any(|read| read == key) || key.split(['_', '.', '-']).any(|word| PARTS.contains(&word))
}

/// Whether a value is false, zero or empty.
pub(super) fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        Value::Null | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::families::config;

    fn with(model_type: &str, more: &Value) -> Result<(), String> {
        let mut keys = json!({ "model_type": model_type }).as_object().unwrap().clone();
        keys.extend(more.as_object().unwrap().clone());
        config(Value::Object(keys)).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_that_nothing_reads_are_let_through() {
        with(
            "llama",
            &json!({ "max_sequence_length": 2048, "custom_pipelines": {}, "_my_note": "hello", "mm_vision_tower": "x" }),
        )
        .unwrap();
        with("gpt_neox", &json!({ "unsloth_version": "2025.1", "tokenizer_type": "BPE" })).unwrap();
    }

    #[test]
    fn keys_that_change_numbers_somewhere_are_refused() {
        let on = with("llama", &json!({ "some_new_option": true })).unwrap_err();
        assert!(on.ends_with("remove it if it does not"), "{on}");
        with("llama", &json!({ "some_new_option": false })).unwrap();
        for key in [
            "use_strange_attention",
            "attn_logit_softcapping",
            "logits_scaling",
            "qk_layernorm",
            "rotary_pct",
            "num_local_experts",
        ] {
            let said = with("llama", &json!({ key: 0.5 })).unwrap_err();
            assert!(
                said.ends_with("this key is not known and might change the numbers; remove it if it does not"),
                "{said}"
            );
        }
    }

    #[test]
    fn misspellings_and_code_of_ones_own_are_refused() {
        assert_eq!(
            with("llama", &json!({ "num_hidden_layer": 2 })).unwrap_err(),
            "config.json of `llama`: `num_hidden_layer` is 2: this key is not known; did you mean `num_hidden_layers`? If not, remove it"
        );
        let code = json!({ "auto_map": { "AutoModelForCausalLM": "modeling_mine.Mine" }, "twisted": 2 });
        let said = with("llama", &code).unwrap_err();
        assert!(said.contains("`twisted` is 2: this key is not known, and the checkpoint brings code of its own (\"modeling_mine.Mine\")"), "{said}");
    }
}
