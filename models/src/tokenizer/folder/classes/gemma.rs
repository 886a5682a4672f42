//! Gemma's class: `SentencePiece`'s byte pairs without a space in front.

use serde_json::json;

use super::super::class::{Class, Older, Parts, Template};
use super::llama::spaces_and_bytes;

pub(super) const GEMMA: Class = Class {
    names: &["GemmaTokenizer"],
    tokens: &[
        ("bos_token", "<bos>"),
        ("eos_token", "<eos>"),
        ("unk_token", "<unk>"),
        ("pad_token", "<pad>"),
        ("mask_token", "<mask>"),
    ],
    extra: &[],
    older: Older::SentencePiece,
    parts: Some(|_| Parts {
        normalizer: json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" }),
        pre_tokenizer: json!({
            "type": "Split", "pattern": { "String": " " }, "behavior": "MergedWithPrevious", "invert": false
        }),
        decoder: json!({ "type": "Sequence", "decoders": spaces_and_bytes() }),
        fuse_unk: true,
        byte_fallback: true,
        unk: true,
        ..Parts::default()
    }),
    template: Template::Given,
    wants_bos: true,
};
