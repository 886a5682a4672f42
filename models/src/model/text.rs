//! Text to tokens and back, with the model's own tokenizer.

use super::HookedTransformer;
use crate::error::{Error, Result};
use crate::ground::warnings::warn_once;
use crate::tokenizer::{Bos, Occurrence, Tokenizer};

impl HookedTransformer {
    /// The tokenizer.
    ///
    /// # Errors
    ///
    /// [`Error::NoTokenizer`] if the checkpoint has none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_deref().ok_or(Error::NoTokenizer)
    }

    /// Text to ids, with the tokenizer's defaults. The checkpoint decides whether that adds a BOS.
    ///
    /// # Errors
    ///
    /// [`Error::NoTokenizer`], or [`Error::EmptyPrompt`] if there are no tokens.
    pub fn to_tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.to_tokens_with(text, Bos::AsTokenizer)
    }

    /// Text to ids, with or without a BOS. A prompt without the BOS with which every text of its training began, and a
    /// prompt with two, are named in a warning.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::to_tokens`], and [`Error::Tokenizer`] if a BOS is asked for and there is none.
    pub fn to_tokens_with(&self, text: &str, bos: Bos) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer()?;
        let ids = tokenizer.encode(text, bos)?;
        if let Some(problem) = tokenizer.doubt(&ids) {
            warn_once(&format!("{}: {problem}", self.name()));
        }
        if ids.is_empty() { Err(Error::EmptyPrompt) } else { Ok(ids) }
    }

    /// The text of ids, including special tokens. An id of a padded vocabulary adds nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoTokenizer`], or [`Error::OutOfRange`] for an id that neither the tokenizer nor the model has.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.known(ids)?;
        self.tokenizer()?.decode(ids)
    }

    fn known(&self, ids: &[u32]) -> Result<()> {
        let length = self.config().d_vocab.max(self.tokenizer()?.len());
        let unknown = ids.iter().find(|id| **id as usize >= length);
        unknown.map_or(Ok(()), |id| Err(Error::out_of_range("token", *id, length)))
    }

    /// The text of each token, for the labels of axes.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::to_tokens`].
    pub fn to_str_tokens(&self, text: &str) -> Result<Vec<String>> {
        let ids = self.to_tokens(text)?;
        self.tokenizer()?.pieces(&ids)
    }

    /// The id of a string that is exactly one token.
    ///
    /// # Errors
    ///
    /// [`Error::NotOneToken`] with the tokens it consists of; [`Error::UnknownToken`] with the nearest token.
    pub fn to_single_token(&self, text: &str) -> Result<u32> {
        self.tokenizer()?.single(text)
    }

    /// The text of one id; `<id 63>` for an id of a padded vocabulary, which has none.
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::decode`].
    pub fn to_single_str_token(&self, id: u32) -> Result<String> {
        self.known(&[id])?;
        Ok(self.tokenizer()?.pieces(&[id])?.remove(0))
    }

    /// The position of a token in a prompt, from 0.
    ///
    /// # Errors
    ///
    /// [`Error::TokenAbsent`] if it does not occur.
    pub fn token_position(&self, token: &str, prompt: &str, which: Occurrence) -> Result<usize> {
        let ids = self.to_tokens(prompt)?;
        self.tokenizer()?.position(token, &ids, which)
    }
}
