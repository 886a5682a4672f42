//! What a tokenizer class of transformers 5 is.

use serde_json::{Value, json};

use super::settings::Settings;

/// A tokenizer class of transformers 5. All but [`BACKEND`] build their tokenizer anew from the vocabulary, whatever a
/// `tokenizer.json` says of the other parts.
#[derive(Debug)]
pub(super) struct Class {
    /// Its names in transformers, without the suffix `Fast`.
    pub(super) names: &'static [&'static str],
    /// The tokens of roles that no file names.
    pub(super) tokens: &'static [(&'static str, &'static str)],
    /// Special tokens that it adds.
    pub(super) extra: &'static [&'static str],
    /// The files that it reads in place of a `tokenizer.json`.
    pub(super) older: Older,
    /// The parts that it builds; `None` if it takes those of the file.
    pub(super) parts: Option<fn(&Settings) -> Parts>,
    /// The template that joins special tokens to a text.
    pub(super) template: Template,
    /// Whether its models were trained on texts that begin with a BOS, so that a prompt without one misleads.
    pub(super) wants_bos: bool,
}

/// Files older than `tokenizer.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Older {
    /// `vocab.json` and `merges.txt`.
    VocabAndMerges,
    /// `vocab.txt`.
    VocabTxt,
    /// `SentencePiece`'s `tokenizer.model`.
    SentencePiece,
}

/// What a class does to `post_processor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// It takes that of `tokenizer.json`; without one, what `add_bos_token` and `add_eos_token` say.
    Given,
    /// What `add_bos_token` and `add_eos_token` say. A `tokenizer.json` overrules both settings.
    FromSettings,
    /// A BOS in front.
    Bos,
    /// `[CLS] $A [SEP] $B [SEP]`.
    Bert,
    /// `<s> $A </s> </s> $B </s>`.
    Roberta,
}

/// The parts of a tokenizer around its vocabulary, as JSON.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    pub(super) decoder: Value,
    /// Whether neighbouring unknown characters are one token, of byte-pair models.
    pub(super) fuse_unk: bool,
    /// Whether a character that the vocabulary lacks is written as bytes, of byte-pair models.
    pub(super) byte_fallback: bool,
    /// Whether the model has the unknown token of the settings.
    pub(super) unk: bool,
    /// The prefix and the suffix of a part of a word, of byte-pair models.
    pub(super) affixes: Option<&'static str>,
}

/// The class whose tokenizer is the one that `tokenizer.json` holds.
pub(super) const BACKEND: Class = Class {
    names: &["TokenizersBackend"],
    tokens: &[],
    extra: &[],
    older: Older::SentencePiece,
    parts: None,
    template: Template::Given,
    wants_bos: false,
};

/// The byte-level pre-tokenizer or decoder.
pub(super) fn byte_level(add_prefix_space: bool, use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex
    })
}
