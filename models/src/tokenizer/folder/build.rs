//! A tokenizer of a class: its vocabulary inside the parts that the class builds.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{AddedToken, ModelWrapper, PostProcessorWrapper, Tokenizer as Inner};

use super::class::{Class, Older, Parts};
use super::settings::Settings;

/// A result with the words of the `tokenizers` crate.
pub(super) type Built<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A tokenizer without its added tokens, which come from several files.
pub(super) struct Bare {
    pub(super) inner: Inner,
    /// Those of `tokenizer.json`.
    pub(super) added: BTreeMap<u32, AddedToken>,
}

/// The parts of a `tokenizer.json` that a class takes from it.
#[derive(Deserialize)]
struct File<M> {
    model: M,
    post_processor: Option<PostProcessorWrapper>,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

impl Bare {
    /// The vocabulary of a `tokenizer.json` inside other parts; `None` if its model is of another kind than the class's.
    pub(super) fn from_json(text: &str, class: &Class, parts: &Parts, settings: &Settings) -> Built<Option<Self>> {
        let (model, post_processor, added) = if class.older == Older::VocabTxt {
            let Some(file) = read::<WordPiece>(text) else { return Ok(None) };
            (word_piece(file.model, settings), file.post_processor, file.added_tokens)
        } else {
            let Some(file) = read::<BPE>(text) else { return Ok(None) };
            (byte_pairs(file.model, parts, settings), file.post_processor, file.added_tokens)
        };
        let mut bare = Self::new(model, parts)?;
        bare.inner.with_post_processor(post_processor);
        bare.added = added.into_iter().map(|added| (added.id, added.token)).collect();
        Ok(Some(bare))
    }

    /// The parts of a class around a model.
    pub(super) fn new(model: impl Into<ModelWrapper>, parts: &Parts) -> Built<Self> {
        let mut inner = Inner::new(model);
        inner.with_normalizer(part::<tokenizers::NormalizerWrapper>(&parts.normalizer)?);
        inner.with_pre_tokenizer(part::<tokenizers::PreTokenizerWrapper>(&parts.pre_tokenizer)?);
        inner.with_decoder(part::<tokenizers::DecoderWrapper>(&parts.decoder)?);
        Ok(Self { inner, added: BTreeMap::new() })
    }

    /// A whole tokenizer, whose added tokens stay.
    pub(super) fn whole(inner: Inner) -> Self {
        let added = inner.get_added_tokens_decoder().into_iter().collect();
        Self { inner, added }
    }
}

/// `None` for another kind of model, and for a broken file, which the general reader reports.
fn read<M: DeserializeOwned>(text: &str) -> Option<File<M>> {
    serde_json::from_str(text).ok()
}

fn part<T: DeserializeOwned>(json: &Value) -> Built<Option<T>> {
    Ok(if json.is_null() { None } else { Some(serde_json::from_value(json.clone())?) })
}

/// A byte-pair model with the options of a class.
pub(super) fn byte_pairs(mut model: BPE, parts: &Parts, settings: &Settings) -> ModelWrapper {
    model.dropout = None;
    model.unk_token = settings_unk(parts, settings);
    model.continuing_subword_prefix = parts.affixes.map(str::to_owned);
    model.end_of_word_suffix = parts.affixes.map(str::to_owned);
    model.fuse_unk = parts.fuse_unk;
    model.byte_fallback = parts.byte_fallback;
    model.ignore_merges = false;
    model.into()
}

pub(super) fn word_piece(mut model: WordPiece, settings: &Settings) -> ModelWrapper {
    if let Some(unk) = settings.role("unk_token") {
        unk.clone_into(&mut model.unk_token);
    }
    model.into()
}

fn settings_unk(parts: &Parts, settings: &Settings) -> Option<String> {
    if parts.unk { Some(settings.role("unk_token").unwrap_or("<unk>").to_owned()) } else { None }
}
