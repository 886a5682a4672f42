//! Qwen's classes: byte-level pairs of normalized text, split by a pattern of their own.

use serde_json::json;

use super::super::class::{Class, Older, Parts, Template, byte_level};
use super::super::settings::Settings;
use super::gpt2::END;

/// `PRETOKENIZE_REGEX` of `models/qwen2/tokenization_qwen2.py`.
const PATTERN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same of `models/qwen3_5/tokenization_qwen3_5.py`, where marks belong to the letters before them.
const PATTERN_WITH_MARKS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

pub(super) const QWEN2: Class = Class {
    names: &["Qwen2Tokenizer"],
    tokens: &[("eos_token", END), ("unk_token", END), ("pad_token", END)],
    extra: &[],
    older: Older::VocabAndMerges,
    parts: Some(|settings| parts(settings, PATTERN)),
    template: Template::Given,
    wants_bos: false,
};

pub(super) const QWEN3_5: Class =
    Class { names: &["Qwen3_5Tokenizer"], parts: Some(|settings| parts(settings, PATTERN_WITH_MARKS)), ..QWEN2 };

fn parts(settings: &Settings, pattern: &str) -> Parts {
    let prefix = settings.flag("add_prefix_space").unwrap_or(false);
    let split = json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    Parts {
        normalizer: json!({ "type": "NFC" }),
        pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": [split, byte_level(prefix, false)] }),
        decoder: byte_level(true, true),
        affixes: Some(""),
        ..Parts::default()
    }
}
