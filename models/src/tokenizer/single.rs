//! Strings that are one token, and where a token is.

use tokenizers::ModelWrapper;

use super::{Bos, Tokenizer};
use crate::error::{Error, Result};
use crate::ground::nearest::nearest;

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
    /// The id of a string that is exactly one token.
    ///
    /// # Errors
    ///
    /// [`Error::NotOneToken`] with the tokens it consists of; [`Error::UnknownToken`] with the nearest token.
    pub fn single(&self, text: &str) -> Result<u32> {
        let ids = self.encode(text, Bos::Omit)?;
        let named = self.inner.token_to_id(text);
        match ids.as_slice() {
            [id] if named == Some(*id) || !self.is_unknown(*id) => Ok(*id),
            [id] => named.ok_or_else(|| self.unknown(text, *id)),
            _ => named.ok_or_else(|| self.not_one(text, &ids)),
        }
    }

    /// Whether an id stands for every text that the vocabulary lacks.
    fn is_unknown(&self, id: u32) -> bool {
        let name = match self.inner.get_model() {
            ModelWrapper::BPE(model) => model.unk_token.as_deref(),
            ModelWrapper::WordPiece(model) => Some(model.unk_token.as_str()),
            ModelWrapper::WordLevel(model) => Some(model.unk_token.as_str()),
            // This model keeps its id to itself. SentencePiece gives it this name.
            ModelWrapper::Unigram(_) => Some("<unk>"),
        };
        name.is_some_and(|name| self.inner.token_to_id(name) == Some(id))
    }

    fn unknown(&self, text: &str, id: u32) -> Error {
        let mut known: Vec<String> = self.inner.get_vocab(true).into_keys().collect();
        known.sort();
        let unknown = self.inner.id_to_token(id).unwrap_or_default();
        Error::UnknownToken { text: text.to_owned(), unknown, nearest: nearest(text, &known) }
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
        let pieces = || self.pieces(ids).unwrap_or_default();
        found.ok_or_else(|| Error::TokenAbsent { token: token.to_owned(), nearest: nearest(token, &pieces()) })
    }
}
