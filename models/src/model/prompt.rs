//! What a model can be run on, as rows of token ids.

use super::HookedTransformer;
use crate::error::Result;
use crate::tokenizer::Chat;
use crate::tokens::{Side, Tokens};

/// What a model can be run on: token ids, text, or rows of either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a prompt",
    label = "give a text, token ids, or rows of either"
)]
pub trait IntoTokens {
    /// The rows of tokens that a model runs on.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`](crate::Error::EmptyPrompt), [`Error::NoTokenizer`](crate::Error::NoTokenizer) for text
    /// without a tokenizer, and those of [`Tokens`].
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens>;
}

impl IntoTokens for Tokens {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Ok(self)
    }
}

impl IntoTokens for &Tokens {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Ok(self.clone())
    }
}

impl IntoTokens for &[u32] {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.to_vec()])
    }
}

impl<const N: usize> IntoTokens for [u32; N] {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.to_vec()])
    }
}

impl<const N: usize> IntoTokens for &[u32; N] {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.to_vec()])
    }
}

impl IntoTokens for Vec<u32> {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self])
    }
}

impl IntoTokens for &Vec<u32> {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.clone()])
    }
}

impl IntoTokens for Vec<Vec<u32>> {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(self)
    }
}

impl IntoTokens for &str {
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![model.to_tokens(self)?])
    }
}

/// Two texts as the tokenizer joins them. If the model has token types, each token gets the type of its text.
impl IntoTokens for (&str, &str) {
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens> {
        let encoded = model.tokenizer()?.encode_pair(self.0, self.1)?;
        let tokens = Tokens::new(vec![encoded.ids])?;
        if model.config().token_types.is_some() { tokens.with_types(vec![encoded.type_ids]) } else { Ok(tokens) }
    }
}

/// A conversation, as its template writes it.
impl IntoTokens for Chat {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.ids])
    }
}

impl IntoTokens for &Chat {
    fn into_tokens(self, _: &HookedTransformer) -> Result<Tokens> {
        Tokens::new(vec![self.ids.clone()])
    }
}

impl IntoTokens for &String {
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens> {
        self.as_str().into_tokens(model)
    }
}

impl IntoTokens for &[&str] {
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens> {
        let rows = self.iter().map(|text| model.to_tokens(text)).collect::<Result<Vec<_>>>()?;
        Tokens::padded(&rows, Side::Left, 0)
    }
}

impl IntoTokens for &[String] {
    fn into_tokens(self, model: &HookedTransformer) -> Result<Tokens> {
        let texts: Vec<&str> = self.iter().map(String::as_str).collect();
        texts.as_slice().into_tokens(model)
    }
}
