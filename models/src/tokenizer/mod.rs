//! Text to tokens and back, through a model's own tokenizer.

mod chat;
mod decode;
mod encode;
mod folder;
mod single;

pub use chat::{Chat, ChatOptions, Message, Turn};
pub use encode::{Bos, Encoded};
pub use single::Occurrence;

use self::chat::Templates;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::{
    DecoderWrapper, Model as _, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer as Inner,
    TokenizerImpl,
};

use crate::error::{Error, Result};
use crate::ground::files::text;

/// Limit on the bytes of a `tokenizer.json`. The largest vocabularies take a seventh of it.
const LIMIT: u64 = 256 << 20;

/// A model's tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    bos: Option<u32>,
    /// The class of transformers 5 that it follows; `None` if nothing but a `tokenizer.json` is known of it.
    class: Option<String>,
    /// Special tokens by role, such as `bos_token`.
    roles: Vec<(String, String)>,
    /// Whether decoding drops the spaces before punctuation.
    clean_up: bool,
    /// Whether its models expect texts to begin with a BOS.
    wants_bos: bool,
    templates: Templates,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `bos` is the id of its beginning-of-sequence token, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file is missing or is not a tokenizer.
    pub fn from_file(path: &Path, bos: Option<u32>) -> Result<Self> {
        let inner = parsed(text(path, LIMIT)?.as_bytes())
            .map_err(|error| Error::file(path, format!("not a tokenizer.json: {error}; download it again")))?;
        Self::whole(inner, bos)
    }

    /// Reads a `tokenizer.json` from memory.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if it is not a tokenizer.
    pub fn from_bytes(bytes: &[u8], bos: Option<u32>) -> Result<Self> {
        Self::whole(parsed(bytes).map_err(|error| failed("load", &*error))?, bos)
    }

    /// A tokenizer from the JSON of its files: `tokenizer.json`, and roles, flags and chat templates as
    /// `tokenizer_config.json` holds them.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if it is not a tokenizer.
    pub(crate) fn from_json(json: &Value, settings: &Value) -> Result<Self> {
        let mut made = Self::from_bytes(json.to_string().as_bytes(), None)?;
        let named = settings.as_object().into_iter().flatten();
        let role = |(key, token): (&String, &Value)| Some((key.clone(), token.as_str()?.to_owned()));
        made.roles = named.filter(|(key, _)| key.ends_with("_token")).filter_map(role).collect();
        made.bos = settings["bos_token"].as_str().and_then(|token| made.id(token));
        made.wants_bos = settings["add_bos_token"] == true;
        made.templates = Templates::of(&settings["chat_template"]);
        Ok(made)
    }

    /// Turns off the file's own padding and truncation, which would change a prompt unasked; so does transformers.
    fn whole(mut inner: Inner, bos: Option<u32>) -> Result<Self> {
        inner.with_padding(None).with_truncation(None).map_err(|error| failed("load", &*error))?;
        Ok(Self {
            inner,
            bos,
            class: None,
            roles: Vec::new(),
            clean_up: false,
            wants_bos: false,
            templates: Templates::default(),
        })
    }

    /// The id of the beginning-of-sequence token, if there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Sets the beginning-of-sequence token.
    #[must_use]
    pub fn with_bos(mut self, bos: Option<u32>) -> Self {
        self.bos = bos;
        self
    }

    /// The tokenizer class of transformers that it follows, such as `GPT2Tokenizer`; `TokenizersBackend` takes
    /// everything from `tokenizer.json`. `None` if it was not read from a folder.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// Special tokens by role, such as `eos_token` and `</s>`, as the files name them.
    pub fn roles(&self) -> &[(String, String)] {
        &self.roles
    }

    /// Whether its models expect every text to begin with a BOS: Gemma's do, and those whose `add_bos_token` says so.
    pub fn wants_bos(&self) -> bool {
        self.wants_bos
    }

    /// The id of a token by its exact entry in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Special tokens by id.
    pub fn special(&self) -> BTreeMap<u32, String> {
        let added = self.inner.get_added_tokens_decoder().into_iter();
        added.filter(|(_, token)| token.special).map(|(id, token)| (id, token.content)).collect()
    }

    /// The number of tokens, including added ones.
    pub fn len(&self) -> usize {
        let model = self.inner.get_model();
        let added = self.inner.get_added_vocabulary().get_vocab();
        model.get_vocab_size() + added.keys().filter(|token| model.token_to_id(token).is_none()).count()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `tokenizer_config.json` text with which [`Tokenizer::from_folder`] gives this tokenizer again.
    pub(crate) fn settings_json(&self) -> String {
        let mut settings = serde_json::json!({ "tokenizer_class": "TokenizersBackend" });
        for (role, token) in &self.roles {
            settings[role] = token.as_str().into();
        }
        let flags = [
            ("clean_up_tokenization_spaces", self.clean_up),
            ("add_bos_token", self.wants_bos),
            ("split_special_tokens", self.inner.get_encode_special_tokens()),
        ];
        for (key, set) in flags {
            if set {
                settings[key] = true.into();
            }
        }
        if !self.templates.is_empty() {
            settings["chat_template"] = self.templates.to_json();
        }
        format!("{settings:#}\n")
    }

    /// The `tokenizer.json` text, for fingerprints and for saving.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(false).map_err(|error| failed("serialise", &*error))
    }
}

/// Reads a byte-pair tokenizer, as most are, with its own reader. The general reader holds two trees of the file
/// meanwhile, as much memory as a quarter of a small model's weights.
fn parsed(bytes: &[u8]) -> tokenizers::Result<Inner> {
    type BytePairs = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;
    serde_json::from_slice::<BytePairs>(bytes).map_or_else(|_| Inner::from_bytes(bytes), |inner| Ok(inner.into()))
}

fn failed(action: &'static str, error: &(dyn std::error::Error + Send + Sync)) -> Error {
    Error::Tokenizer { action, problem: error.to_string() }
}
