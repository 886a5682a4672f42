//! Cohere's class: GPT-2's with single digits, on normalized text.

use serde_json::json;

use super::super::class::{Class, Parts, byte_level};
use super::gpt2::{GPT2, parts};

pub(super) const COHERE: Class = Class {
    names: &["CohereTokenizer"],
    tokens: &[
        ("bos_token", "<BOS_TOKEN>"),
        ("eos_token", "<|END_OF_TURN_TOKEN|>"),
        ("unk_token", "<UNK>"),
        ("sep_token", "<SEP>"),
        ("pad_token", "<PAD>"),
        ("cls_token", "<CLS>"),
        ("mask_token", "<MASK_TOKEN>"),
    ],
    parts: Some(|settings| {
        let prefix = settings.flag("add_prefix_space").unwrap_or(false);
        let digits = json!({ "type": "Digits", "individual_digits": true });
        Parts {
            normalizer: json!({ "type": "NFC" }),
            pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": [digits, byte_level(prefix, true)] }),
            ..parts(settings)
        }
    }),
    ..GPT2
};
