//! JSON files of limited size, with the place of an error.

use std::path::Path;

use serde_json::Value;

use super::open;
use crate::ground::error::{Error, Result};

/// Limit on the bytes of a JSON file. No config, index or tokenizer is larger.
const LIMIT: u64 = 64 << 20;

/// Limit on the bytes of a config.
const CONFIG_LIMIT: u64 = 4 << 20;

/// Number of characters shown before and after the error in a broken line.
const SHOWN: usize = 40;

/// Reads a JSON file of limited size.
///
/// # Errors
///
/// [`Error::Read`] if it cannot be read, [`Error::File`] if it is too large or not JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    read_up_to(path, LIMIT)
}

/// Reads a `config.json`. Its limit is lower, because no config is large and a parsed file takes many times its text.
pub(crate) fn read_config(path: &Path) -> Result<Value> {
    read_up_to(path, CONFIG_LIMIT)
}

fn read_up_to(path: &Path, limit: u64) -> Result<Value> {
    let text = open::text(path, limit)?;
    serde_json::from_str(&text).map_err(|error| Error::file(path, problem(&error, &text)))
}

/// What is wrong, with the text at that place: `NaN` says more than its column.
fn problem(error: &serde_json::Error, text: &str) -> String {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let column = line.get(..error.column().min(line.len())).map_or(0, |before| before.chars().count());
    let (first, shown) = (column.saturating_sub(SHOWN), 2 * SHOWN);
    let near: String = line.chars().skip(first).take(shown).collect();
    format!("not valid JSON: {error}, near `{}`; fix it there, or download it again", near.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let error = serde_json::from_str::<Value>(text).unwrap_err();
        problem(&error, text)
    }

    #[test]
    fn the_place_is_shown() {
        assert!(said("{\n  \"eps\": NaN\n}").contains("line 2 column 10, near `\"eps\": NaN`; fix it there"));
        assert!(said("{\"a\": 1e999}").contains("near `{\"a\": 1e999}`"));
        let deep = said(&"[".repeat(100_000));
        assert!(deep.contains("recursion limit") && deep.len() < 250, "{deep}");
        assert!(said("ä").contains("near `ä`") && said("{").contains("near `{`"));
    }
}
