//! `RoBERTa`'s class: GPT-2's between `<s>` and `</s>`.

use super::super::class::{Class, Template};
use super::gpt2::GPT2;

pub(super) const ROBERTA: Class = Class {
    names: &["RobertaTokenizer"],
    tokens: &[
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "<unk>"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ],
    template: Template::Roberta,
    ..GPT2
};
