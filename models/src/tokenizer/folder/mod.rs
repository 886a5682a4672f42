//! The tokenizer of a folder, as transformers 5 makes it.
//!
//! transformers chooses a class ([`choose`]). Most classes build their tokenizer anew from the vocabulary, so that the
//! settings of `tokenizer_config.json` count and those of `tokenizer.json` do not ([`classes`]). Where versions 4 and 5
//! differ, 5 is followed.

mod added;
mod build;
mod choose;
mod class;
mod classes;
mod older;
mod settings;
mod template;
mod unread;

use std::path::Path;

use tokenizers::Tokenizer as Inner;

use self::build::Bare;
use self::class::{Class, Parts};
use self::settings::{Settings, json_of};
use super::chat::Templates;
use super::{LIMIT, Tokenizer, failed, parsed};
use crate::error::{Error, Result};
use crate::ground::files::{is_there, text};
use crate::ground::warnings::warn_once;

impl Tokenizer {
    /// The tokenizer of a folder, if it has one. A vocabulary of a kind that is not read is named in a warning.
    ///
    /// Special and added tokens come from `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and
    /// `tokenizer.json`. In place of the last, `vocab.json` with `merges.txt`, `vocab.txt` or `SentencePiece`'s
    /// `tokenizer.model` are read.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if one of its files is broken.
    pub fn from_folder(folder: &Path) -> Result<Option<Self>> {
        let settings = Settings::read(folder)?;
        let json = folder.join("tokenizer.json");
        let json = if is_there(&json)? { Some(text(&json, LIMIT)?) } else { None };
        let byte_level = json.as_ref().is_some_and(|json| json.contains("\"ByteLevel\""));
        let older = if json.is_none() { older::there(folder) } else { None };
        let class = choose::choose(&settings, byte_level, older);
        let settings = settings.named(folder, class.tokens, class.extra)?;
        let parts = class.parts.map(|parts| parts(&settings)).unwrap_or_default();
        let Some((bare, settings)) = bare(folder, json.as_deref(), class, &parts, settings)? else {
            if let Some(problem) = Self::unread(folder) {
                warn_once(&format!("{}: {problem}", folder.display()));
            }
            return Ok(None);
        };
        let inner = finished(bare, class, &settings, json.is_some()).map_err(|error| failed("load", &*error))?;
        Self::whole(inner, None)?.described(folder, class, &settings).map(Some)
    }

    /// What the settings say beyond ids.
    fn described(mut self, folder: &Path, class: &Class, settings: &Settings) -> Result<Self> {
        let id = |role: &str| settings.role(role).and_then(|token| self.id(token));
        self.bos = match id("bos_token") {
            Some(id) => Some(id),
            None => self.first_numbered(folder)?,
        };
        self.clean_up = settings.flag("clean_up_tokenization_spaces") == Some(true);
        self.wants_bos = choose::wants_bos(settings, class);
        self.class = Some(class.names[0].to_owned());
        self.templates = Templates::read(folder, settings.get("chat_template"))?;
        self.roles = settings.roles.iter().map(|(role, token)| (role.clone(), token.content.clone())).collect();
        Ok(self)
    }

    /// `bos_token_id` from the first file in which it is a known token.
    fn first_numbered(&self, folder: &Path) -> Result<Option<u32>> {
        for file in ["generation_config.json", "config.json"] {
            let id = json_of(folder, file)?.get("bos_token_id").and_then(serde_json::Value::as_u64);
            let known = id.and_then(|id| u32::try_from(id).ok()).filter(|id| self.inner.id_to_token(*id).is_some());
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }
}

/// The vocabulary in its parts, and the settings with all added tokens.
fn bare(
    folder: &Path,
    json: Option<&str>,
    class: &Class,
    parts: &Parts,
    settings: Settings,
) -> Result<Option<(Bare, Settings)>> {
    let Some(json) = json else {
        let mut settings = settings.with_added(folder, &std::collections::BTreeMap::new())?;
        let bare = older::read(folder, class, parts, &mut settings)?;
        return Ok(bare.map(|bare| (bare, settings)));
    };
    let anew = match class.parts {
        Some(_) => Bare::from_json(json, class, parts, &settings).map_err(|error| failed("load", &*error))?,
        None => None,
    };
    let bare = match anew {
        Some(bare) => bare,
        None => Bare::whole(parsed(json.as_bytes()).map_err(|error| {
            Error::file(&folder.join("tokenizer.json"), format!("not a tokenizer.json: {error}; download it again"))
        })?),
    };
    let settings = settings.with_added(folder, &bare.added)?;
    Ok(Some((bare, settings)))
}

fn finished(bare: Bare, class: &Class, settings: &Settings, has_json: bool) -> build::Built<Inner> {
    let mut inner = bare.inner;
    added::add(&mut inner, settings);
    template::set(&mut inner, class.template, settings, has_json)?;
    inner.set_encode_special_tokens(settings.flag("split_special_tokens") == Some(true));
    Ok(inner)
}
