//! A value in the table of a GGUF file.

use serde_json::Value as Json;

/// A value. All numbers are read into the widest type of their kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(i64),
    Number(f64),
    Flag(bool),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn count(&self) -> Option<usize> {
        match self {
            Self::Whole(whole) => usize::try_from(*whole).ok(),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(*whole as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn list(&self) -> Option<&[Value]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The value for a message, cut to one line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Whole(whole) => whole.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => format!("\"{}\"", text.escape_debug().take(80).collect::<String>()),
            Self::List(list) => format!("a list of {}", list.len()),
        }
    }

    /// A single-precision number as its shortest decimal, so that `1e-5` stays `1e-5` in a config.
    pub(super) fn json_number(&self) -> Option<Json> {
        match self {
            Self::Whole(whole) => Some((*whole).into()),
            Self::Number(number) => (*number as f32).to_string().parse::<f64>().ok().map(Json::from),
            _ => None,
        }
    }
}
