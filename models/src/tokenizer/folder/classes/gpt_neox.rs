//! GPT-NeoX's class: GPT-2's on normalized text.

use serde_json::json;

use super::super::class::{Class, Parts, Template};
use super::gpt2::{END, GPT2, parts};

pub(super) const GPT_NEOX: Class = Class {
    names: &["GPTNeoXTokenizer"],
    tokens: &[("bos_token", END), ("eos_token", END), ("unk_token", END), ("pad_token", "<|padding|>")],
    parts: Some(|settings| Parts { normalizer: json!({ "type": "NFC" }), ..parts(settings) }),
    template: Template::FromSettings,
    ..GPT2
};
