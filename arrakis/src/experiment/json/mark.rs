//! The objects that stand for what strict JSON cannot hold.

use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The key of a float that strict JSON cannot represent: `{"$float": "NaN"}`.
const FLOAT: &str = "$float";

/// The key of a large array: `{"$blob": {"sha256": .., "dtype": "F32", "shape": [..]}}`.
const BLOB: &str = "$blob";

/// Where a large array is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// SHA-256 of its file, in hex.
    pub(super) sha256: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// Marks a float.
pub(super) fn float(value: f64) -> Value {
    json!({FLOAT: value.to_string()})
}

/// The float that is marked.
pub(super) fn marked_float(value: &Value) -> Option<f64> {
    only(value, FLOAT)?.as_str()?.parse().ok()
}

/// Marks an array.
pub(super) fn blob(mark: &Mark) -> Value {
    json!({BLOB: serde_json::to_value(mark).expect("BUG: a mark is plain data")})
}

/// The array that is marked.
pub(super) fn marked_blob(value: &Value) -> Option<Mark> {
    serde_json::from_value(only(value, BLOB)?.clone()).ok()
}

/// Every array that is marked in a value.
pub(super) fn marked_blobs(value: &Value) -> Vec<Mark> {
    match value {
        Value::Array(items) => items.iter().flat_map(marked_blobs).collect(),
        Value::Object(fields) => {
            let inner = || fields.values().flat_map(marked_blobs).collect();
            marked_blob(value).map_or_else(inner, |mark| vec![mark])
        }
        _ => Vec::new(),
    }
}

/// The value of an object's only key, if it is this one.
fn only<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object().filter(|map| map.len() == 1)?.get(key)
}
