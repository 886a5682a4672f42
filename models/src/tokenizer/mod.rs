//! Text to tokens and back, through a model's own `tokenizer.json`.

mod folder;

use std::collections::BTreeMap;
use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::{
    DecoderWrapper, EncodeInput, Model as _, ModelWrapper, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, Tokenizer as Inner, TokenizerImpl,
};

use crate::error::{Error, Result};
use crate::ground::files::text;
use crate::ground::nearest::nearest;

/// Limit on the bytes of a `tokenizer.json`. The largest vocabularies take a seventh of it.
const LIMIT: u64 = 256 << 20;

/// A model's tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    bos: Option<u32>,
}

/// Whether a beginning-of-sequence token (BOS) is put at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bos {
    /// As `tokenizer.json` says: GPT-2's adds none, Llama's adds one.
    #[default]
    AsTokenizer,
    /// Exactly one at the start.
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

    /// Turns off the file's own padding and truncation, which would change a prompt unasked; so does transformers.
    fn whole(mut inner: Inner, bos: Option<u32>) -> Result<Self> {
        inner.with_padding(None).with_truncation(None).map_err(|error| failed("load", &*error))?;
        Ok(Self { inner, bos })
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
        let mut encoded = self.encoded(text, bos == Bos::AsTokenizer)?;
        if bos == Bos::Prepend {
            let first = self.bos.ok_or_else(|| Error::Tokenizer {
                action: "prepend a BOS",
                problem: "neither the config nor the tokenizer names one".into(),
            })?;
            encoded.ids.insert(0, first);
            encoded.tokens.insert(0, self.inner.id_to_token(first).unwrap_or_default());
            encoded.offsets.insert(0, (0, 0));
            encoded.type_ids.insert(0, 0);
        }
        Ok(encoded)
    }

    /// Two texts to ids as the tokenizer joins them, such as `[CLS] first [SEP] second [SEP]`.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if a text cannot be encoded.
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<Encoded> {
        self.encoded((first, second), true)
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

    /// Ids to text, with special tokens.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an unknown id.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.known(ids)?;
        self.inner.decode(ids, false).map_err(|error| failed("decode", &*error))
    }

    /// Ids to text, without special tokens.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an unknown id.
    pub fn decode_text(&self, ids: &[u32]) -> Result<String> {
        self.known(ids)?;
        self.inner.decode(ids, true).map_err(|error| failed("decode", &*error))
    }

    /// The text of each id, with leading spaces.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an unknown id.
    pub fn pieces(&self, ids: &[u32]) -> Result<Vec<String>> {
        self.known(ids)?;
        ids.iter().map(|id| self.piece(*id)).collect()
    }

    /// `SentencePiece`'s decoder drops a leading space; the entry still has it, as `▁`.
    fn piece(&self, id: u32) -> Result<String> {
        let entry = self.inner.id_to_token(id).unwrap_or_default();
        let alone = self.inner.decode(&[id], false).map_err(|error| failed("decode", &*error))?;
        Ok(if entry.starts_with('▁') && !alone.contains('▁') {
            entry.replace('▁', " ")
        } else if alone.is_empty() {
            entry
        } else {
            alone
        })
    }

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

    /// The `tokenizer.json` text, for fingerprints and for saving.
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(false).map_err(|error| failed("serialise", &*error))
    }

    fn known(&self, ids: &[u32]) -> Result<()> {
        let unknown = ids.iter().find(|id| self.inner.id_to_token(**id).is_none());
        unknown.map_or(Ok(()), |id| Err(Error::out_of_range("token", *id, self.len())))
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
