//! What the small files beside a vocabulary say of its tokens, merged as transformers 5 merges them
//! (`PreTrainedTokenizerBase._from_pretrained`).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::error::Result;
use crate::ground::files::{is_there, read_json};

/// Roles that a token can have, in the order in which transformers adds their tokens.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The key of special tokens without a role, in transformers 5 and 4.
const EXTRA: &str = "extra_special_tokens";
const EXTRA_BEFORE: &str = "additional_special_tokens";

/// The key of added tokens by id. With it, no older file counts.
const DECODER: &str = "added_tokens_decoder";

/// Settings and special tokens of a folder.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// `tokenizer_config.json`, over which `special_tokens_map.json` goes.
    values: Map<String, Value>,
    /// `config.json`.
    config: Value,
    /// Added tokens by the id that a file gives them.
    pub(super) added: BTreeMap<i64, AddedToken>,
    /// Special tokens by role, those of [`ROLES`] first.
    pub(super) roles: Vec<(String, AddedToken)>,
    /// Special tokens without a role.
    pub(super) extra: Vec<AddedToken>,
}

/// A JSON file of a folder; `null` if there is none.
pub(super) fn json_of(folder: &Path, file: &str) -> Result<Value> {
    let path = folder.join(file);
    if is_there(&path)? { read_json(&path) } else { Ok(Value::Null) }
}

impl Settings {
    /// The two files that say which class a tokenizer has.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let config = json_of(folder, "config.json")?;
        let mut values = object(json_of(folder, "tokenizer_config.json")?);
        if values.get(EXTRA).is_none_or(is_empty)
            && let Some(older) = values.remove(EXTRA_BEFORE)
        {
            values.insert(EXTRA.into(), older);
        }
        Ok(Self { values, config, ..Self::default() })
    }

    /// A value of `tokenizer_config.json`.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A string of `tokenizer_config.json`, else of `config.json`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let own = self.values.get(key).and_then(Value::as_str);
        own.or_else(|| self.config.get(key).and_then(Value::as_str))
    }

    /// The `model_type` of `config.json`.
    pub(super) fn model_type(&self) -> Option<&str> {
        self.config.get("model_type").and_then(Value::as_str)
    }

    /// Whether the files list special tokens without a role.
    pub(super) fn lists_extra(&self) -> bool {
        self.values.contains_key(EXTRA) || self.values.contains_key(EXTRA_BEFORE)
    }

    /// The token of a role.
    pub(super) fn role(&self, role: &str) -> Option<&str> {
        self.roles.iter().find(|(name, _)| name == role).map(|(_, token)| token.content.as_str())
    }

    /// Gives a role its token, unless a file does.
    pub(super) fn default_role(&mut self, role: &str, token: &str) {
        if !self.values.contains_key(role) {
            self.roles.push((role.to_owned(), AddedToken::from(token, true)));
            self.roles.sort_by_key(|(role, _)| ROLES.iter().position(|known| known == role).unwrap_or(ROLES.len()));
        }
    }

    /// A flag of `tokenizer_config.json`.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key).and_then(Value::as_bool)
    }

    /// Gives each role its token. `defaults` are those of a class by role, `more` its special tokens without a role.
    pub(super) fn named(mut self, folder: &Path, defaults: &[(&str, &str)], more: &[&str]) -> Result<Self> {
        if !self.values.contains_key(DECODER) {
            self.merge_special_tokens_map(folder)?;
        }
        self.name_tokens(defaults, more);
        Ok(self)
    }

    /// Reads the added tokens of all files; `in_json` are those of `tokenizer.json`.
    pub(super) fn with_added(mut self, folder: &Path, in_json: &BTreeMap<u32, AddedToken>) -> Result<Self> {
        if let Some(decoder) = self.values.get(DECODER) {
            let id = |(id, token): (&String, &Value)| Some((id.parse().ok()?, token_of(token, false)?));
            self.added = decoder.as_object().into_iter().flatten().filter_map(id).collect();
        } else {
            self.read_added_tokens(folder)?;
            self.added.extend(in_json.iter().map(|(id, token)| (i64::from(*id), token.clone())));
        }
        for (role, token) in &mut self.roles {
            let found = self.added.values().find(|added| added.content == token.content);
            if let Some(found) = found.filter(|_| ROLES.contains(&role.as_str())) {
                *token = found.clone();
            }
        }
        Ok(self)
    }

    fn merge_special_tokens_map(&mut self, folder: &Path) -> Result<()> {
        for (key, value) in object(json_of(folder, "special_tokens_map.json")?) {
            match (self.values.get_mut(&key), value) {
                (Some(Value::Array(known)), Value::Array(more)) if key == EXTRA => {
                    let new: Vec<Value> = more.into_iter().filter(|token| !known.contains(token)).collect();
                    known.extend(new);
                }
                (_, value) => drop(self.values.insert(key, value)),
            }
        }
        Ok(())
    }

    /// `added_tokens.json` has ids by token. A token with a role is special.
    fn read_added_tokens(&mut self, folder: &Path) -> Result<()> {
        for (content, id) in object(json_of(folder, "added_tokens.json")?) {
            let special = self.roles.iter().map(|(_, token)| token).chain(&self.extra).any(|t| t.content == content);
            if let Some(id) = id.as_i64() {
                self.added.insert(id, AddedToken::from(content, special));
            }
        }
        Ok(())
    }

    /// Gives each role its token: the one that a file names, else the class's own, unless a file says `null`.
    fn name_tokens(&mut self, defaults: &[(&str, &str)], more: &[&str]) {
        for role in ROLES {
            let own = defaults.iter().find(|(key, _)| *key == role).map(|(_, token)| *token);
            let token = match self.values.get(role) {
                None => own.map(|token| AddedToken::from(token, true)),
                Some(value) => token_of(value, true),
            };
            self.roles.extend(token.map(|token| (role.to_owned(), token)));
        }
        let of_its_own = |(key, value): (&String, &Value)| {
            let named = key.ends_with("_token") && !ROLES.contains(&key.as_str()) && value.is_string();
            Some((key.clone(), token_of(value, true)?)).filter(|_| named)
        };
        let own: Vec<_> = self.values.iter().filter_map(of_its_own).collect();
        self.roles.extend(own);
        match [EXTRA, EXTRA_BEFORE].iter().find_map(|key| self.values.get(*key)) {
            Some(Value::Object(named)) => {
                let token = |(key, value): (&String, &Value)| Some((key.clone(), token_of(value, true)?));
                self.roles.extend(named.iter().filter_map(token).collect::<Vec<_>>());
            }
            Some(Value::Array(tokens)) => {
                self.extra = tokens.iter().filter_map(|token| token_of(token, true)).collect();
            }
            _ => {}
        }
        self.extra.extend(more.iter().map(|token| AddedToken::from(*token, true)));
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty) || value.is_null()
}

/// A token, a string or `{"content": .., "lstrip": ..}`. A string stands for a special token; `special` says what a token
/// is that does not say itself.
fn token_of(value: &Value, special: bool) -> Option<AddedToken> {
    if let Some(content) = value.as_str() {
        return Some(AddedToken::from(content, true));
    }
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    let special = flag("special").unwrap_or(special);
    Some(AddedToken {
        content: value.get("content")?.as_str()?.to_owned(),
        single_word: flag("single_word").unwrap_or(false),
        lstrip: flag("lstrip").unwrap_or(false),
        rstrip: flag("rstrip").unwrap_or(false),
        normalized: flag("normalized").unwrap_or(!special),
        special,
    })
}
