//! Values on one line.

use serde_json::Value;

use crate::experiment::json::from_value;
use crate::fmt::short;

/// A value on one line: numbers are short, long texts and lists are cut.
pub(super) fn value(value: &Value) -> String {
    cut(&whole(value), 48)
}

fn whole(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Null => "-".into(),
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or(f64::NAN)),
        Value::Object(fields) => match from_value::<f64>(value) {
            Ok(number) => number.to_string(),
            Err(_) => match fields.get("$blob") {
                Some(blob) => format!("{} {}", blob["dtype"].as_str().unwrap_or("array"), blob["shape"]),
                None => joined(fields.iter().map(|(key, value)| format!("{key}={}", whole(value)))),
            },
        },
        Value::Array(items) => format!("[{}]", joined(items.iter().take(17).map(whole))),
        other => other.to_string(),
    }
}

/// At most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_fit_on_a_line() {
        for (given, expected) in [
            (json!(0.123_456_789), "0.1235"),
            (json!(3), "3"),
            (json!("a\nb"), "a\\nb"),
            (json!({"$float": "NaN"}), "NaN"),
            (json!({"$blob": {"sha256": "00", "dtype": "F32", "shape": [3, 4]}}), "F32 [3,4]"),
            (json!({"layer": 1, "head": 2}), "layer=1, head=2"),
            (json!([1, 2]), "[1, 2]"),
            (json!(null), "-"),
        ] {
            assert_eq!(value(&given), expected);
        }
        assert_eq!(value(&json!("x".repeat(60))), format!("{}…", "x".repeat(47)));
    }
}
