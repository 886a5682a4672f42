//! Llama's classes: `SentencePiece`'s byte pairs with bytes for what the vocabulary lacks.

use serde_json::{Value, json};

use super::super::class::{Class, Older, Parts, Template};
use super::super::settings::Settings;

pub(super) const LLAMA: Class = Class {
    names: &["LlamaTokenizer"],
    tokens: &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
    extra: &[],
    older: Older::SentencePiece,
    parts: Some(|settings| {
        let legacy = settings.flag("legacy").unwrap_or(false);
        parts(settings, if legacy { "always" } else { "first" }, false)
    }),
    template: Template::Given,
    wants_bos: false,
};

pub(super) const CODE_LLAMA: Class = Class {
    names: &["CodeLlamaTokenizer"],
    extra: &["▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>", "<FILL_ME>"],
    parts: Some(|settings| Parts { unk: true, ..parts(settings, "first", true) }),
    template: Template::Bos,
    ..LLAMA
};

/// `strips` says whether the decoder drops the first space even if none is put in front.
fn parts(settings: &Settings, scheme: &str, strips: bool) -> Parts {
    let prefix = settings.flag("add_prefix_space").unwrap_or(true);
    let scheme = if prefix { scheme } else { "never" };
    let mut decoders = spaces_and_bytes();
    if prefix || strips {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    Parts {
        pre_tokenizer: json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false }),
        decoder: json!({ "type": "Sequence", "decoders": decoders }),
        fuse_unk: true,
        byte_fallback: true,
        ..Parts::default()
    }
}

/// The decoders that `SentencePiece`'s vocabularies share.
pub(super) fn spaces_and_bytes() -> Vec<Value> {
    vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ]
}
