//! A `config.json`, read key by key. Every key that changes numbers is either supported or refused by name.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check::MOST_LAYERS;
use super::harmless::{HARMLESS, HARMLESS_WHEN_OFF};
use super::keys::{is_off, may_change_numbers};
use super::quantised::quantised;
use crate::error::{Error, Result};
use crate::ground::nearest::nearest_alike;

/// Unknown keys at least as much like a key that was read are taken for misspellings of it.
const MISSPELT: f64 = 0.8;

/// One `config.json`, which records the keys that were read.
#[derive(Debug)]
pub struct HfConfig {
    family: String,
    /// The prefix of a key in messages, such as `rope_scaling.` in that table.
    path: String,
    keys: Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

impl HfConfig {
    /// Wraps a parsed `config.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if it is not an object or does not name a `model_type`.
    pub fn new(value: Value) -> Result<Self> {
        let problem = |key: &str, value: String, problem: &str| Error::Config {
            family: "?".into(),
            key: key.into(),
            value,
            problem: problem.into(),
        };
        let Value::Object(keys) = value else {
            return Err(problem("config.json", shown(&value), "it must be a JSON object, {...}"));
        };
        let Some(family) = keys.get("model_type").and_then(Value::as_str).map(str::to_owned) else {
            let value = keys.get("model_type").map_or_else(|| "absent".to_owned(), shown);
            let wanted = "config.json must name its architecture, as in \"model_type\": \"gpt2\"";
            return Err(problem("model_type", value, wanted));
        };
        Ok(Self { family, path: String::new(), keys, read: RefCell::default() })
    }

    /// A table in the config, read key by key like the config itself.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if it is not a table.
    pub fn table(&self, key: &str) -> Result<Option<Self>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let keys = value.as_object().cloned().ok_or_else(|| {
            self.problem(key, "must be a table, such as {\"rope_type\": \"linear\", \"factor\": 2.0}")
        })?;
        Ok(Some(Self {
            family: self.family.clone(),
            path: format!("{}{key}.", self.path),
            keys,
            read: RefCell::default(),
        }))
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the key is present, even as `null`. For keys where absent and `null` mean different things.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// `model_type`.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The value of a key; `null` counts as absent.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.keys.get(key).filter(|value| !value.is_null())
    }

    /// An error about one key.
    pub fn problem(&self, key: &str, problem: impl Into<String>) -> Error {
        let value = self.keys.get(key).map_or_else(|| "absent".to_owned(), shown);
        Error::Config {
            family: self.family.clone(),
            key: shortened(format!("{}{}", self.path, key.escape_debug())),
            value,
            problem: problem.into(),
        }
    }

    /// A count that must be present.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if it is absent, not a whole number, zero, or more than ten million.
    pub fn count(&self, key: &str) -> Result<usize> {
        self.optional_count(key)?.ok_or_else(|| self.problem(key, "this key is needed: a positive whole number"))
    }

    /// A count, with the default that transformers uses.
    pub fn count_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.optional_count(key)?.unwrap_or(default))
    }

    /// A count under any of the names that transformers accepts. Two names must not give different values.
    pub fn count_by(&self, names: &[&str], default: usize) -> Result<usize> {
        let mut found: Option<(&str, usize)> = None;
        for name in names {
            let Some(count) = self.optional_count(name)? else { continue };
            match found {
                Some((other, earlier)) if earlier != count => {
                    return Err(
                        self.problem(name, format!("`{other}` means the same and is {earlier}; keep one of the two"))
                    );
                }
                _ => found = Some((*name, count)),
            }
        }
        Ok(found.map_or(default, |(_, count)| count))
    }

    /// The number of layers. It is limited here, because lists of that length are made before all dimensions are
    /// checked.
    pub fn layers_by(&self, names: &[&str], default: usize) -> Result<usize> {
        let layers = self.count_by(names, default)?;
        if layers <= MOST_LAYERS {
            return Ok(layers);
        }
        let name = names.iter().find(|name| self.keys.contains_key(**name)).unwrap_or(&names[0]);
        Err(self.problem(name, format!("must be a whole number from 1 to {MOST_LAYERS}")))
    }

    /// A count that may be absent.
    pub fn optional_count(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = value.as_u64().filter(|n| (1..=10_000_000).contains(n));
        number.map(|n| Some(n as usize)).ok_or_else(|| self.problem(key, "must be a whole number from 1 to 10000000"))
    }

    /// A count that is off if `null` and has a default if absent, such as `sliding_window`.
    pub fn nullable_count(&self, key: &str, default: Option<usize>) -> Result<Option<usize>> {
        if self.has(key) { self.optional_count(key) } else { Ok(default) }
    }

    /// A number that is off if `null` and has a default if absent.
    pub fn nullable_number(&self, key: &str, default: Option<f64>) -> Result<Option<f64>> {
        if self.has(key) { self.optional_number(key) } else { Ok(default) }
    }

    /// A finite number, with the default that transformers uses.
    pub fn number_or(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    /// A finite number that may be absent.
    pub fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = value.as_f64().filter(|n| n.is_finite());
        number.map(Some).ok_or_else(|| self.problem(key, "must be a finite number"))
    }

    /// True or false, with the default that transformers uses.
    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value.as_bool().ok_or_else(|| self.problem(key, "must be true or false"))
    }

    /// A string, with the default that transformers uses.
    pub fn word_or(&self, key: &str, default: &str) -> Result<String> {
        let Some(value) = self.value(key) else {
            return Ok(default.to_owned());
        };
        value.as_str().map(str::to_owned).ok_or_else(|| self.problem(key, "must be a string"))
    }

    /// A list of strings that may be absent.
    pub fn optional_words(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let words = value
            .as_array()
            .map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        words.flatten().map(Some).ok_or_else(|| self.problem(key, "must be a list of strings"))
    }

    /// A list of finite numbers that must be present.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>> {
        let items = self.value(key).and_then(Value::as_array);
        let numbers =
            items.and_then(|items| items.iter().map(|item| item.as_f64().filter(|n| n.is_finite())).collect());
        numbers.ok_or_else(|| self.problem(key, "must be a list of numbers"))
    }

    /// Whether the unembedding is tied to the embedding.
    pub fn tied_or(&self, default: bool) -> Result<bool> {
        self.flag_or("tie_word_embeddings", default)
    }

    /// Refuses a flag whose value this family does not support.
    pub fn refuse_if(&self, key: &str, unsupported: bool, default: bool, why: &str) -> Result<()> {
        if self.flag_or(key, default)? == unsupported {
            return Err(self.problem(key, why));
        }
        Ok(())
    }

    /// Refuses every value but `only`; absent and `null` are fine.
    pub fn must_be(&self, key: &str, only: &Value, why: &str) -> Result<()> {
        match self.value(key) {
            Some(value) if value != only => Err(self.problem(key, why)),
            _ => Ok(()),
        }
    }

    /// Refuses quantised weights.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the method, and where to find full numbers.
    pub(super) fn refuse_quantised(&self) -> Result<()> {
        match quantised(&self.keys) {
            Some((key, problem)) if self.path.is_empty() => Err(self.problem(key, problem)),
            _ => Ok(()),
        }
    }

    /// Checks that no key is left that could change numbers. Fine are keys that were read, harmless ones, and those that
    /// no language model reads, name no part of one and are no switch that is on, as long as the checkpoint brings no code
    /// of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] naming the first other key.
    pub fn finish(&self, harmless: &[&str]) -> Result<()> {
        self.refuse_quantised()?;
        let known = |key: &str| self.read.borrow().contains(key) || HARMLESS.contains(&key) || harmless.contains(&key);
        let off = |key: &str, value: &Value| value.is_null() || HARMLESS_WHEN_OFF.contains(&key) && is_off(value);
        let strange = self.keys.iter().filter(|(key, value)| !known(key) && !off(key, value));
        strange.map(|(key, _)| key).try_for_each(|key| self.ignore(key))
    }

    /// Refuses a key that was not read, unless nothing reads it.
    fn ignore(&self, key: &str) -> Result<()> {
        let read: Vec<String> = self.read.borrow().iter().cloned().collect();
        if let Some(meant) = nearest_alike(key, &read, MISSPELT).filter(|_| self.path.is_empty()) {
            return Err(self.problem(key, format!("this key is not known; did you mean `{meant}`? If not, remove it")));
        }
        // A switch that is on asks for something.
        let on = self.keys.get(key) == Some(&Value::Bool(true));
        let plain = key.chars().all(|c| c.is_ascii_graphic());
        if on || !plain || may_change_numbers(key) || !self.path.is_empty() {
            return Err(
                self.problem(key, "this key is not known and might change the numbers; remove it if it does not")
            );
        }
        if let Some(code) = self.keys.get("auto_map").and_then(|map| map.get("AutoModelForCausalLM")) {
            let why = format!(
                "this key is not known, and the checkpoint brings code of its own ({}) that may read it; remove the key if that code \
                 does not change the numbers",
                shown(code)
            );
            return Err(self.problem(key, why));
        }
        Ok(())
    }
}

/// A value as a message shows it, cut to one line.
fn shown(value: &Value) -> String {
    shortened(value.to_string())
}

pub(super) fn shortened(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(120) {
        text.replace_range(cut.., "…");
    }
    text
}
