//! JSON as Python's `json.dump` writes it, so that a file that is read and saved stays the same, byte for byte.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The text: `", "` and `": "` between items, only ASCII, numbers as Python's `repr` has them.
pub(super) fn text(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    object(map, &mut out);
    out
}

fn object(map: &Map<String, Value>, out: &mut String) {
    out.push('{');
    for (index, (name, value)) in map.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        string(name, out);
        out.push_str(": ");
        any(value, out);
    }
    out.push('}');
}

fn any(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => object(map, out),
        Value::String(text) => string(text, out),
        Value::Number(number) if number.is_f64() => out.push_str(&float(number.as_f64().unwrap_or_default())),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                any(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A string in quotes: what is not ASCII as UTF-16 escapes.
fn string(text: &str, out: &mut String) {
    let quoted = Value::String(text.to_owned()).to_string();
    for c in quoted.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("BUG: a string takes any text");
            }
        }
    }
}

/// The shortest digits that give the number: with an exponent below 1e-4 and from 1e16.
fn float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python 3.11 wrote them.
    #[test]
    fn numbers_and_strings_are_pythons() {
        let source = r#"{"a": [1, 2.0, 1e-05, 0.0001, 1e+16, 1.5e-07, 123456.789, -0.0, 3e-300, 1000000000000000.0], "b": {"c": null, "d": true}, "e\"\n\u00e4\ud83d\ude00": []}"#;
        let map: Map<String, Value> = serde_json::from_str(source).unwrap();
        assert_eq!(text(&map), source);
    }
}
