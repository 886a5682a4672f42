//! JSON as one text, independent of the order of its keys.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Compact JSON with sorted keys: equal values have equal text.
pub fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

/// SHA-256 of a text, in hex.
pub fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            Value::Object(pairs.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
