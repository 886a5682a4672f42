//! A `config.json` rewritten for a model that has other layers, heads or neurons than it says.

use serde_json::{Value, json};

use super::config;
use crate::transformer::TransformerConfig;

/// A key of several spellings, and the number that it is about.
struct Key {
    /// The names families use. A config that has none of them gets the first that its family knows.
    names: &'static [&'static str],
    of: fn(&TransformerConfig) -> Value,
    /// The number that its default follows from, if it has such a default.
    default_of: Option<fn(&TransformerConfig) -> usize>,
}

impl Key {
    const fn new(names: &'static [&'static str], of: fn(&TransformerConfig) -> Value) -> Self {
        Self { names, of, default_of: None }
    }

    /// Whether the key must be written: its number is another one, or its default would be.
    fn changes(&self, described: &TransformerConfig, wanted: &TransformerConfig) -> bool {
        (self.of)(described) != (self.of)(wanted) || self.default_of.is_some_and(|of| of(described) != of(wanted))
    }
}

const KEYS: [Key; 8] = [
    Key::new(&["num_hidden_layers", "n_layer", "num_layers", "n_layers"], |config| json!(config.n_layers)),
    Key::new(&["layer_types"], |config| json!(kinds(config, "full_attention", "sliding_attention"))),
    Key::new(&["no_rope_layers"], |config| json!(rotated(config))),
    Key::new(&["attention_types"], |config| json!([[kinds(config, "global", "local"), 1]])),
    Key::new(&["num_attention_heads", "n_head", "num_heads", "n_heads"], |config| json!(config.n_heads)),
    Key::new(&["num_key_value_heads", "num_kv_heads", "n_key_value_heads"], |config| json!(config.n_kv_heads)),
    Key { names: &["head_dim"], of: |config| json!(config.d_head), default_of: Some(|config| config.n_heads) },
    Key::new(&["intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_mlp"], |config| json!(config.d_mlp)),
];

/// The `config.json` of a family with the numbers of layers, heads and neurons and the kinds of layers of `wanted`, as far
/// as the family has keys for them. Every other key stays. Whether it describes the model is for the caller to check.
pub(crate) fn rewritten(original: &Value, described: &TransformerConfig, wanted: &TransformerConfig) -> Value {
    let mut edited = original.clone();
    for key in KEYS.iter().filter(|key| key.changes(described, wanted)) {
        for name in names_in(original, described, key) {
            edited[name] = (key.of)(wanted);
        }
    }
    // GPT-Neo's list of layers is often written out beside the rule.
    if original.get("attention_layers").is_some() && edited.get("attention_types") != original.get("attention_types") {
        edited["attention_layers"] = json!(kinds(wanted, "global", "local"));
    }
    edited
}

/// Under which names a config gives a number: all it has, or the first that its family knows.
fn names_in(original: &Value, described: &TransformerConfig, key: &Key) -> Vec<&'static str> {
    let there: Vec<&str> = key.names.iter().copied().filter(|name| original.get(name).is_some()).collect();
    if !there.is_empty() {
        return there;
    }
    let knows = |name: &&&str| {
        let mut tried = original.clone();
        tried[**name] = (key.of)(described);
        config(tried).is_ok_and(|read| read == *described)
    };
    key.names.iter().find(knows).into_iter().copied().collect()
}

/// 1 for each layer that rotates, 0 for the others.
fn rotated(config: &TransformerConfig) -> Vec<u8> {
    (0..config.n_layers).map(|layer| u8::from(config.rope(layer).is_some_and(|rope| rope.dims > 0))).collect()
}

/// The kind of each layer: whether it has a window.
fn kinds(config: &TransformerConfig, full: &'static str, windowed: &'static str) -> Vec<&'static str> {
    config.windows.iter().map(|window| if window.is_some() { windowed } else { full }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(original: &Value, change: impl Fn(&mut TransformerConfig)) -> (Value, TransformerConfig) {
        let described = config(original.clone()).unwrap();
        let mut wanted = described.clone();
        change(&mut wanted);
        (rewritten(original, &described, &wanted), wanted)
    }

    #[test]
    fn the_keys_that_a_config_has_are_rewritten_and_no_other() {
        let original = json!({ "model_type": "gpt2", "n_layer": 3, "n_embd": 8, "n_head": 2, "n_inner": null });
        let (edited, wanted) = changed(&original, |config| {
            *config = config.with_layers(&[config.layer_settings(0).unwrap()]);
            config.d_mlp = 5;
        });
        assert_eq!(edited, json!({ "model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "n_inner": 5 }));
        assert_eq!(config(edited).unwrap(), wanted);
    }

    #[test]
    fn a_default_is_written_out_under_the_name_the_family_knows() {
        let original = json!({ "model_type": "gemma2", "num_hidden_layers": 2, "sliding_window": 4 });
        let (edited, wanted) = changed(&original, |config| {
            *config = config.with_layers(&[1, 0, 1].map(|layer| config.layer_settings(layer).unwrap()));
        });
        assert_eq!(edited["layer_types"], json!(["full_attention", "sliding_attention", "full_attention"]));
        assert_eq!(config(edited).unwrap(), wanted);
    }

    #[test]
    fn fewer_heads_keep_their_width() {
        let original =
            json!({ "model_type": "qwen2", "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4 });
        let (edited, wanted) = changed(&original, |config| (config.n_heads, config.n_kv_heads) = (3, 3));
        assert_eq!((&edited["num_attention_heads"], &edited["head_dim"]), (&json!(3), &json!(8)));
        assert_eq!(config(edited).unwrap(), wanted);
    }

    #[test]
    fn gpt_neos_two_lists_agree() {
        let original = json!({
            "model_type": "gpt_neo", "num_layers": 2, "attention_types": [[["global", "local"], 1]],
            "attention_layers": ["global", "local"]
        });
        let (edited, wanted) = changed(&original, |config| {
            *config = config.with_layers(&[1, 1, 0].map(|layer| config.layer_settings(layer).unwrap()));
        });
        assert_eq!(edited["attention_types"], json!([[["local", "local", "global"], 1]]));
        assert_eq!(edited["attention_layers"], json!(["local", "local", "global"]));
        assert_eq!(config(edited).unwrap(), wanted);
    }
}
