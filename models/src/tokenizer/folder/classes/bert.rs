//! BERT's class: pieces of words.

use serde_json::json;

use super::super::class::{Class, Older, Parts, Template};
use super::super::settings::Settings;

pub(super) const BERT: Class = Class {
    names: &["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"],
    tokens: &[
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ],
    extra: &[],
    older: Older::VocabTxt,
    parts: Some(parts),
    template: Template::Bert,
    wants_bos: false,
};

fn parts(settings: &Settings) -> Parts {
    Parts {
        normalizer: json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": settings.flag("tokenize_chinese_chars").unwrap_or(true),
            "strip_accents": settings.flag("strip_accents"),
            "lowercase": settings.flag("do_lower_case").unwrap_or(true),
        }),
        pre_tokenizer: json!({ "type": "BertPreTokenizer" }),
        decoder: json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        unk: true,
        ..Parts::default()
    }
}
