//! Ids to text.

use tokenizers::ModelWrapper;

use super::{Tokenizer, failed};
use crate::error::Result;

/// What transformers replaces where `clean_up_tokenization_spaces` is set, in its order.
const CLEANED: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

impl Tokenizer {
    /// Ids to text, with special tokens. As in transformers, an id that has no text adds nothing: vocabularies are often
    /// padded with such ids. [`Tokenizer::pieces`] marks them.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tokenizer`] if the tokens cannot be joined.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.decoded(ids, false)
    }

    /// Ids to text, without special tokens and without ids that have no text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::decode`].
    pub fn decode_text(&self, ids: &[u32]) -> Result<String> {
        self.decoded(ids, true)
    }

    /// The text of each id, with leading spaces. An id that has no text is written as `<id 63>`.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::decode`].
    pub fn pieces(&self, ids: &[u32]) -> Result<Vec<String>> {
        ids.iter().map(|id| self.piece(*id)).collect()
    }

    /// Whether an id has a text.
    pub fn has_text(&self, id: u32) -> bool {
        self.inner.id_to_token(id).is_some()
    }

    fn decoded(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let text = self.inner.decode(ids, skip_special).map_err(|error| failed("decode", &*error))?;
        Ok(if self.cleans_up() { CLEANED.iter().fold(text, |text, (from, to)| text.replace(from, to)) } else { text })
    }

    /// Byte pairs keep their spaces: transformers 5 ignores the setting there.
    fn cleans_up(&self) -> bool {
        self.clean_up && !matches!(self.inner.get_model(), ModelWrapper::BPE(_))
    }

    /// `SentencePiece`'s decoder drops a leading space; the entry still has it, as `▁`.
    fn piece(&self, id: u32) -> Result<String> {
        let Some(entry) = self.inner.id_to_token(id) else { return Ok(format!("<id {id}>")) };
        let alone = self.inner.decode(&[id], false).map_err(|error| failed("decode", &*error))?;
        Ok(if entry.starts_with('▁') && !alone.contains('▁') {
            entry.replace('▁', " ")
        } else if alone.is_empty() {
            entry
        } else {
            alone
        })
    }
}
