//! Text to tokens and back, through a model's own `tokenizer.json`.

use std::path::Path;

use tokenizers::Tokenizer as Inner;

use crate::error::{Error, Result};

/// A model's tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    bos: Option<u32>,
}

/// Whether a beginning-of-sequence token is put in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bos {
    /// As `tokenizer.json` does it by itself: GPT-2 adds none, Llama does.
    #[default]
    AsTokenizer,
    /// Exactly one in front.
    Prepend,
    /// None.
    Omit,
}

/// Which occurrence of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occurrence {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `bos` is the id of its beginning-of-sequence token, where it has one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file is missing or is no tokenizer.
    pub fn from_file(path: &Path, bos: Option<u32>) -> Result<Self> {
        let inner =
            Inner::from_file(path).map_err(|error| Error::file(path, format!("not a tokenizer.json: {error}")))?;
        Ok(Self { inner, bos })
    }

    /// Reads a `tokenizer.json` held in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] when it is no tokenizer.
    pub fn from_bytes(bytes: &[u8], bos: Option<u32>) -> Result<Self> {
        let inner = Inner::from_bytes(bytes).map_err(|error| failed("load", &*error))?;
        Ok(Self { inner, bos })
    }

    /// The id of the beginning-of-sequence token, where there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// With this beginning-of-sequence token.
    #[must_use]
    pub fn with_bos(mut self, bos: Option<u32>) -> Self {
        self.bos = bos;
        self
    }

    /// The id of a token by its exact entry in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How many tokens there are, added ones included.
    pub fn len(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text to ids.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] when the text cannot be encoded, or a BOS is asked for and there is none.
    pub fn encode(&self, text: &str, bos: Bos) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, bos == Bos::AsTokenizer).map_err(|error| failed("encode", &*error))?;
        let mut ids = encoding.get_ids().to_vec();
        if bos == Bos::Prepend {
            let first = self.bos.ok_or_else(|| Error::Tokenizer {
                action: "prepend a BOS",
                problem: "neither the config nor the tokenizer names one".into(),
            })?;
            ids.insert(0, first);
        }
        Ok(ids)
    }

    /// Ids to text, special tokens included.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an id there is no token for.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.known(ids)?;
        self.inner.decode(ids, false).map_err(|error| failed("decode", &*error))
    }

    /// Each id's own text, leading spaces kept.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an id there is no token for.
    pub fn pieces(&self, ids: &[u32]) -> Result<Vec<String>> {
        self.known(ids)?;
        ids.iter().map(|id| self.piece(*id)).collect()
    }

    /// Decoders drop a leading space; decoded behind another token, it stays.
    fn piece(&self, id: u32) -> Result<String> {
        let raw = self.inner.id_to_token(id).unwrap_or_default();
        let alone = self.inner.decode(&[id], false).map_err(|error| failed("decode", &*error))?;
        let spaced = raw.starts_with('▁') || raw.starts_with('Ġ');
        Ok(if spaced && !alone.starts_with(' ') {
            format!(" {alone}")
        } else if alone.is_empty() {
            raw
        } else {
            alone
        })
    }

    /// The one id of a string that is exactly one token.
    ///
    /// # Errors
    ///
    /// [`Error::NotOneToken`] with the pieces it falls into.
    pub fn single(&self, text: &str) -> Result<u32> {
        let ids = self.encode(text, Bos::Omit)?;
        match ids.as_slice() {
            [id] => Ok(*id),
            _ => self.inner.token_to_id(text).ok_or_else(|| self.not_one(text, &ids)),
        }
    }

    fn not_one(&self, text: &str, ids: &[u32]) -> Error {
        let pieces = self
            .pieces(ids)
            .unwrap_or_default()
            .iter()
            .map(|piece| format!("{piece:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        Error::NotOneToken { text: text.to_owned(), count: ids.len(), pieces }
    }

    /// The position of a token in ids.
    ///
    /// # Errors
    ///
    /// [`Error::TokenAbsent`], or [`Error::NotOneToken`].
    pub fn position(&self, token: &str, ids: &[u32], which: Occurrence) -> Result<usize> {
        let id = self.single(token)?;
        let found = match which {
            Occurrence::First => ids.iter().position(|other| *other == id),
            Occurrence::Last => ids.iter().rposition(|other| *other == id),
        };
        found.ok_or_else(|| Error::TokenAbsent { token: token.to_owned() })
    }

    /// The `tokenizer.json` text, for fingerprints and for saving.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] when it cannot be written out.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(false).map_err(|error| failed("serialise", &*error))
    }

    fn known(&self, ids: &[u32]) -> Result<()> {
        let unknown = ids.iter().find(|id| self.inner.id_to_token(**id).is_none());
        unknown.map_or(Ok(()), |id| Err(Error::OutOfRange { what: "token", asked: *id as usize, length: self.len() }))
    }
}

fn failed(action: &'static str, error: &(dyn std::error::Error + Send + Sync)) -> Error {
    Error::Tokenizer { action, problem: error.to_string() }
}
