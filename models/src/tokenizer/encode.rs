//! Text to ids.

use tokenizers::EncodeInput;

use super::{Tokenizer, failed};
use crate::error::{Error, Result};

/// Whether a beginning-of-sequence token (BOS) is put at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bos {
    /// As the tokenizer's files say: GPT-2's adds none, Llama's adds one.
    #[default]
    AsTokenizer,
    /// Exactly one at the start, also if the text itself begins with it.
    Prepend,
    /// None.
    Omit,
}

/// The tokens of a text, with the place of each in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Ids.
    pub ids: Vec<u32>,
    /// Entries of the vocabulary, such as `Ġworld`.
    pub tokens: Vec<String>,
    /// Bytes `start..end` of the text; for a pair, of the text the token belongs to. `0..0` if the tokenizer added the
    /// token.
    pub offsets: Vec<(usize, usize)>,
    /// The text of a pair that the token belongs to: 0 or 1.
    pub type_ids: Vec<u32>,
}

impl Encoded {
    /// Drops the first tokens.
    fn keep_from(&mut self, start: usize) {
        self.ids.drain(..start);
        self.tokens.drain(..start);
        self.offsets.drain(..start);
        self.type_ids.drain(..start);
    }
}

impl Tokenizer {
    /// Text to ids.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if the text cannot be encoded, or a BOS is asked for and there is none.
    pub fn encode(&self, text: &str, bos: Bos) -> Result<Vec<u32>> {
        Ok(self.encode_with_offsets(text, bos)?.ids)
    }

    /// Text to ids, each with its entry in the vocabulary, its bytes and its text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_with_offsets(&self, text: &str, bos: Bos) -> Result<Encoded> {
        let encoded = self.encoded(text, bos == Bos::AsTokenizer)?;
        if bos == Bos::Prepend { self.with_one_in_front(encoded) } else { Ok(encoded) }
    }

    /// Two texts to ids as the tokenizer joins them, such as `[CLS] first [SEP] second [SEP]`.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if a text cannot be encoded.
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<Encoded> {
        self.encoded((first, second), true)
    }

    /// What is doubtful about how a prompt begins: without the BOS that its models expect, or with two. `None` if nothing
    /// is.
    pub fn doubt(&self, ids: &[u32]) -> Option<String> {
        let bos = self.bos?;
        let name = self.inner.id_to_token(bos).unwrap_or_default();
        match ids {
            [first, second, ..] if *first == bos && *second == bos => Some(format!(
                "a prompt begins with two BOS tokens `{name}`, its own and the tokenizer's: leave it out, or give \
                 `Bos::Prepend`, which leaves one"
            )),
            [first, ..] if *first != bos && self.wants_bos => Some(format!(
                "a prompt does not begin with the BOS token `{name}`, as the texts of its training do, and the model's \
                 numbers are not to be trusted: give `Bos::Prepend`"
            )),
            _ => None,
        }
    }

    /// Puts a BOS in front, unless the text itself begins with some, of which one is left.
    fn with_one_in_front(&self, mut encoded: Encoded) -> Result<Encoded> {
        let first = self.bos.ok_or_else(|| Error::Tokenizer {
            action: "prepend a BOS",
            problem: "neither the config nor the tokenizer names one".into(),
        })?;
        let there = encoded.ids.iter().take_while(|id| **id == first).count();
        if there == 0 {
            encoded.ids.insert(0, first);
            encoded.tokens.insert(0, self.inner.id_to_token(first).unwrap_or_default());
            encoded.offsets.insert(0, (0, 0));
            encoded.type_ids.insert(0, 0);
        }
        encoded.keep_from(there.saturating_sub(1));
        Ok(encoded)
    }

    fn encoded<'s>(&self, input: impl Into<EncodeInput<'s>>, special: bool) -> Result<Encoded> {
        let encoding = self.inner.encode(input, special).map_err(|error| failed("encode", &*error))?;
        Ok(Encoded {
            ids: encoding.get_ids().to_vec(),
            tokens: encoding.get_tokens().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
        })
    }
}
