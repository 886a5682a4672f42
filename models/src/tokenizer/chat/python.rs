//! JSON and literals as Python writes them.

use std::fmt::Write as _;

use serde_json::Value;

/// The options of `json.dumps`.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Whether characters beyond ASCII are escaped.
    pub(super) ascii: bool,
    /// Spaces a level; `None` writes one line.
    pub(super) indent: Option<usize>,
    /// Whether keys are sorted.
    pub(super) sorted: bool,
    /// Between items, and after a key.
    pub(super) separators: Option<[String; 2]>,
}

/// `json.dumps` of a value.
pub(super) fn dump(value: &Value, layout: &Layout) -> String {
    let mut out = String::new();
    write(&mut out, value, layout, 0);
    out
}

fn write(out: &mut String, value: &Value, layout: &Layout, level: usize) {
    match value {
        Value::Array(items) => {
            block(out, layout, level, ['[', ']'], items.iter(), |out, item| write(out, item, layout, level + 1));
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            if layout.sorted {
                entries.sort_by_key(|(key, _)| *key);
            }
            let colon = layout.separators.as_ref().map_or(": ", |[_, colon]| colon);
            block(out, layout, level, ['{', '}'], entries.into_iter(), |out, (key, item)| {
                out.push_str(&text(key, layout.ascii));
                out.push_str(colon);
                write(out, item, layout, level + 1);
            });
        }
        Value::String(string) => out.push_str(&text(string, layout.ascii)),
        other => out.push_str(&other.to_string()),
    }
}

/// Items between brackets, in one line or one a line.
fn block<T>(
    out: &mut String,
    layout: &Layout,
    level: usize,
    [open, close]: [char; 2],
    items: impl ExactSizeIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    out.push(open);
    let empty = items.len() == 0;
    let line = |out: &mut String, level: usize| {
        if let Some(indent) = layout.indent.filter(|_| !empty) {
            out.push('\n');
            out.push_str(&" ".repeat(indent * level));
        }
    };
    let comma = layout.separators.as_ref().map_or(if layout.indent.is_some() { "," } else { ", " }, |[comma, _]| comma);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push_str(comma);
        }
        line(out, level + 1);
        each(out, item);
    }
    line(out, level);
    out.push(close);
}

fn text(string: &str, ascii: bool) -> String {
    let quoted = Value::from(string).to_string();
    if !ascii {
        return quoted;
    }
    let mut out = String::new();
    for c in quoted.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// `repr` of a value.
pub(super) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => quoted(string),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), repr(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A string between the quotes that Python chooses.
fn quoted(string: &str) -> String {
    let quote = if string.contains('\'') && !string.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in string.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Python 3.11's `json.dumps(value, ensure_ascii=.., indent=.., sort_keys=.., separators=..)` and `repr`.
    #[test]
    fn json_and_literals_are_those_of_python() {
        let value = json!({ "b": ["é\n", {}], "a": { "x": 1.5 }, "c": [] });
        let plain = r#"{"b": ["é\n", {}], "a": {"x": 1.5}, "c": []}"#;
        assert_eq!(dump(&value, &Layout::default()), plain);
        let tight =
            Layout { ascii: true, sorted: true, separators: Some([",".into(), ":".into()]), ..Layout::default() };
        assert_eq!(dump(&value, &tight), "{\"a\":{\"x\":1.5},\"b\":[\"\\u00e9\\n\",{}],\"c\":[]}");
        let wide = Layout { indent: Some(2), ..Layout::default() };
        let lines = "{\n  \"b\": [\n    \"é\\n\",\n    {}\n  ],\n  \"a\": {\n    \"x\": 1.5\n  },\n  \"c\": []\n}";
        assert_eq!(dump(&value, &wide), lines);
        assert_eq!(repr(&json!({ "a": "it's", "b": "\"it's\"\n" })), r#"{'a': "it's", 'b': '"it\'s"\n'}"#);
    }
}
