//! `vocab.json` with `merges.txt`, and `vocab.txt`.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;

use super::super::build::{Bare, byte_pairs, word_piece};
use super::super::class::Parts;
use super::super::settings::Settings;
use crate::error::{Error, Result};
use crate::ground::files::{is_there, read_json, text};
use crate::tokenizer::failed;

/// Limit on the bytes of a vocabulary or of its merges.
const LIMIT: u64 = 64 << 20;

/// Byte pairs from two files, as transformers reads them.
pub(super) fn and_merges(folder: &Path, parts: &Parts, settings: &Settings) -> Result<Option<Bare>> {
    let (words, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
    if !is_there(&words)? || !is_there(&merges)? {
        return Ok(None);
    }
    let broken = |error: serde_json::Error| {
        let problem = format!(
            "together with merges.txt it is not a vocabulary of GPT-2's kind: {error}; download both files again"
        );
        Error::file(&words, problem)
    };
    let model = json!({ "type": "BPE", "vocab": read_json(&words)?, "merges": pairs(&merges)? });
    let model = serde_json::from_str::<BPE>(&model.to_string()).map_err(broken)?;
    let model = byte_pairs(model, parts, settings);
    Bare::new(model, parts).map(Some).map_err(|error| failed("load", &*error))
}

/// Two parts a line, after a line with the version.
fn pairs(merges: &Path) -> Result<Vec<(String, String)>> {
    let text = text(merges, LIMIT)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pair = |(index, line): (usize, &str)| {
        let (first, second) = line.split_once(' ').ok_or_else(|| {
            Error::file(merges, format!("line {} is not two parts with a space between; download it again", index + 1))
        })?;
        Ok((first.to_owned(), second.to_owned()))
    };
    lines.map(pair).collect()
}

/// Pieces of words, one a line. The number of a line is its id.
pub(super) fn txt(folder: &Path, parts: &Parts, settings: &Settings) -> Result<Option<Bare>> {
    let path = folder.join("vocab.txt");
    if !is_there(&path)? {
        return Ok(None);
    }
    let text = text(&path, LIMIT)?;
    let vocab: Map<String, Value> =
        text.lines().enumerate().map(|(id, word)| (word.trim_end().to_owned(), id.into())).collect();
    let model = json!({
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": vocab,
    });
    let model = serde_json::from_str::<WordPiece>(&model.to_string()).map_err(|error| Error::file(&path, error))?;
    Bare::new(word_piece(model, settings), parts).map(Some).map_err(|error| failed("load", &*error))
}
