//! The tokenizer of a folder (`tokenizer.json`, or GPT-2's older `vocab.json` and `merges.txt`), and the token that
//! begins a text.

use std::path::Path;

use serde_json::{Value, json};
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer as Inner};

use super::{Tokenizer, failed};
use crate::error::{Error, Result};
use crate::ground::files::{is_there, read_json, text};

/// Limit on the bytes of a file of merges.
const LIMIT: u64 = 64 << 20;

/// The tokenizer classes whose two files are read. Other classes split text in ways that the files do not say, so their
/// models have no tokenizer.
const CLASSES: [&str; 2] = ["GPT2Tokenizer", "GPT2TokenizerFast"];

/// The default of every special token of GPT-2's tokenizer.
const SPECIAL: &str = "<|endoftext|>";

impl Tokenizer {
    /// The tokenizer of a folder, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if one of its files is broken.
    pub fn from_folder(folder: &Path) -> Result<Option<Self>> {
        let settings = settings(folder, "tokenizer_config.json")?;
        let (whole, words) = (folder.join("tokenizer.json"), folder.join("vocab.json"));
        let tokenizer = if is_there(&whole)? {
            Self::from_file(&whole, None)?
        } else if is_there(&words)? && is_there(&folder.join("merges.txt"))? && of_gpt2(&settings) {
            older(folder, &settings)?
        } else {
            return Ok(None);
        };
        let named = name(&settings, "bos_token").and_then(|token| tokenizer.id(token));
        let bos = match named {
            Some(id) => Some(id),
            None => tokenizer.first_numbered(folder)?,
        };
        Ok(Some(tokenizer.with_bos(bos)))
    }

    /// `bos_token_id` from the first file in which it is a known token.
    fn first_numbered(&self, folder: &Path) -> Result<Option<u32>> {
        for file in ["generation_config.json", "config.json"] {
            let id = settings(folder, file)?.get("bos_token_id").and_then(Value::as_u64);
            let known = id.and_then(|id| u32::try_from(id).ok()).filter(|id| self.inner.id_to_token(*id).is_some());
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }
}

/// A JSON file of a folder; `null` if there is none.
fn settings(folder: &Path, file: &str) -> Result<Value> {
    let path = folder.join(file);
    if is_there(&path)? { read_json(&path) } else { Ok(Value::Null) }
}

/// A token of `tokenizer_config.json`, a string or `{"content": ..}`.
fn name<'a>(settings: &'a Value, key: &str) -> Option<&'a str> {
    let token = settings.get(key)?;
    token.as_str().or_else(|| token.get("content")?.as_str())
}

fn of_gpt2(settings: &Value) -> bool {
    let class = settings.get("tokenizer_class").and_then(Value::as_str);
    class.is_none_or(|class| CLASSES.contains(&class))
}

/// Turns GPT-2's two files into a tokenizer, as transformers does.
fn older(folder: &Path, settings: &Value) -> Result<Tokenizer> {
    let (words, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
    let broken = |error: serde_json::Error| {
        let problem = format!(
            "together with merges.txt it is not a vocabulary of GPT-2's kind: {error}; download both files again"
        );
        Error::file(&words, problem)
    };
    let model = json!({ "type": "BPE", "vocab": read_json(&words)?, "merges": pairs(&merges)? });
    let mut inner = Inner::new(serde_json::from_str::<BPE>(&model.to_string()).map_err(broken)?);
    let flag = |key: &str| settings.get(key).and_then(Value::as_bool).unwrap_or(false);
    inner.with_pre_tokenizer(Some(ByteLevel::new(flag("add_prefix_space"), true, true)));
    inner.with_decoder(Some(ByteLevel::default()));
    inner.with_post_processor(Some(ByteLevel::default().trim_offsets(false)));
    let special = ["bos_token", "eos_token", "unk_token"].map(|key| name(settings, key).unwrap_or(SPECIAL));
    let padding = name(settings, "pad_token");
    let tokens: Vec<AddedToken> =
        special.iter().copied().chain(padding).map(|token| AddedToken::from(token, true)).collect();
    inner.add_special_tokens(&tokens);
    if flag("add_bos_token") {
        begin(&mut inner, special[0]).map_err(|error| failed("load", &*error))?;
    }
    Tokenizer::whole(inner, None)
}

/// Two parts a line, after a line with the version.
fn pairs(merges: &Path) -> Result<Vec<(String, String)>> {
    let text = text(merges, LIMIT)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pair = |(index, line): (usize, &str)| {
        let (first, second) = line.split_once(' ').ok_or_else(|| {
            Error::file(merges, format!("line {} is not two parts with a space between; download it again", index + 1))
        })?;
        Ok((first.to_owned(), second.to_owned()))
    };
    lines.map(pair).collect()
}

/// Puts a token at the start of every text.
fn begin(inner: &mut Inner, token: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let id = inner.token_to_id(token).unwrap_or_default();
    let template = TemplateProcessing::builder()
        .try_single(format!("{token}:0 $A:0"))?
        .try_pair(format!("{token}:0 $A:0 {token}:1 $B:1"))?
        .special_tokens(vec![(token, id)])
        .build()?;
    inner.with_post_processor(Some(template));
    Ok(())
}
