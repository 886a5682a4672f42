//! The chat templates of a folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::ChatOptions;
use crate::error::{Error, Result};
use crate::ground::files::{MORE_TEMPLATES, is_there, text};
use crate::ground::nearest::nearest;

/// Limit on the bytes of a template.
const LIMIT: u64 = 4 << 20;

/// The name of the template that counts if none is asked for.
const DEFAULT: &str = "default";

/// Templates by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tokenizer) struct Templates(BTreeMap<String, String>);

impl Templates {
    /// `chat_template.jinja` and `additional_chat_templates/*.jinja`; if there are none, `chat_template` of
    /// `tokenizer_config.json`, a template or a list of them.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] or [`Error::File`] for a file that cannot be read.
    pub(in crate::tokenizer) fn read(folder: &Path, in_config: Option<&Value>) -> Result<Self> {
        let mut found = BTreeMap::new();
        let single = folder.join("chat_template.jinja");
        if is_there(&single)? {
            found.insert(DEFAULT.to_owned(), text(&single, LIMIT)?);
        }
        for file in std::fs::read_dir(folder.join(MORE_TEMPLATES)).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().strip_suffix(".jinja").map(str::to_owned);
            if let Some(name) = name {
                found.insert(name, text(&file.path(), LIMIT)?);
            }
        }
        if found.is_empty() {
            found = listed(in_config);
        }
        Ok(Self(found))
    }

    /// What `chat_template` of `tokenizer_config.json` holds: a template or a list of them.
    pub(in crate::tokenizer) fn of(in_config: &Value) -> Self {
        Self(listed(Some(in_config)))
    }

    /// One template.
    pub(in crate::tokenizer) fn single(template: &str) -> Self {
        Self(BTreeMap::from([(DEFAULT.to_owned(), template.to_owned())]))
    }

    /// Whether there is none.
    pub(in crate::tokenizer) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub(in crate::tokenizer) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The templates as `tokenizer_config.json` holds them.
    pub(in crate::tokenizer) fn to_json(&self) -> Value {
        match self.0.get(DEFAULT) {
            Some(only) if self.0.len() == 1 => only.as_str().into(),
            _ => self.0.iter().map(|(name, text)| serde_json::json!({ "name": name, "template": text })).collect(),
        }
    }

    /// The template to take.
    ///
    /// # Errors
    ///
    /// [`Error::NoChatTemplate`] if there is none, [`Error::ChatTemplate`] for a name that is not one of them.
    pub(super) fn choose<'a>(&'a self, options: &'a ChatOptions) -> Result<&'a str> {
        let named = |name: &str| self.0.get(name).map(String::as_str);
        if let Some(asked) = &options.template {
            // A name has no braces, a template does.
            let found = named(asked).or_else(|| asked.contains('{').then_some(asked.as_str()));
            return found.ok_or_else(|| self.unknown(asked));
        }
        let tools = if options.tools.is_some() { named("tool_use") } else { None };
        match tools.or_else(|| named(DEFAULT)) {
            Some(template) => Ok(template),
            None if self.0.is_empty() => Err(Error::NoChatTemplate),
            None => Err(Error::ChatTemplate {
                problem: format!("no template is the default; name one of {}", self.listed()),
            }),
        }
    }

    fn unknown(&self, asked: &str) -> Error {
        let known: Vec<String> = self.0.keys().cloned().collect();
        let nearest = nearest(asked, &known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        let there = if known.is_empty() { "none".to_owned() } else { self.listed() };
        Error::ChatTemplate { problem: format!("there is no template `{asked}`, there is {there}{nearest}") }
    }

    fn listed(&self) -> String {
        self.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

/// One template, or a list of `{"name": .., "template": ..}`.
fn listed(value: Option<&Value>) -> BTreeMap<String, String> {
    let pair = |entry: &Value| Some((entry["name"].as_str()?.to_owned(), entry["template"].as_str()?.to_owned()));
    match value {
        Some(Value::String(template)) => BTreeMap::from([(DEFAULT.to_owned(), template.clone())]),
        Some(Value::Array(entries)) => entries.iter().filter_map(pair).collect(),
        Some(Value::Object(named)) => {
            named.iter().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
        }
        _ => BTreeMap::new(),
    }
}
