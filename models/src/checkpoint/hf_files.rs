//! The small files beside a checkpoint's weights, kept as read so that they can be written again.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::families;
use crate::ground::files::MORE_TEMPLATES;

const CONFIG: &str = "config.json";

/// The files that are kept: the architecture, the tokenizer, and the generation settings.
const NAMES: [&str; 11] = [
    CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

/// Files by path in the folder, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HfFiles(BTreeMap<String, Vec<u8>>);

impl HfFiles {
    /// The files of a folder in Hugging Face's layout; `None` for a folder in our own layout.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] for a file that exists but cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        if folder.join("arrakis.json").is_file() {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        for name in NAMES.iter().map(|name| (*name).to_owned()).chain(more_templates(folder)) {
            let path = folder.join(&name);
            if path.is_file() {
                files.insert(name, std::fs::read(&path).map_err(|source| Error::Read { path, source })?);
            }
        }
        if !files.contains_key(CONFIG) {
            return Ok(None);
        }
        Self(files).of_text().map(Some)
    }

    /// Of a model that also reads images, the language model's config: it alone is loaded, and it alone can be saved.
    fn of_text(self) -> Result<Self> {
        let config = self.config()?;
        let text = families::text_config(config.clone());
        Ok(if text == config { self } else { self.with_config(&text) })
    }

    /// The files of a model that has none: its config, and its tokenizer with its settings if it has one.
    pub(crate) fn made(config: &Value, tokenizer: Option<(&Value, &Value)>) -> Self {
        let mut files = BTreeMap::from([(CONFIG.to_owned(), format!("{config:#}\n").into_bytes())]);
        if let Some((tokenizer, settings)) = tokenizer {
            files.insert("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes());
            files.insert("tokenizer_config.json".to_owned(), format!("{settings:#}\n").into_bytes());
        }
        Self(files)
    }

    /// The config as JSON, without the byte order mark that some editors add.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it is not JSON, which cannot happen for a model that was loaded with it.
    pub(super) fn config(&self) -> Result<Value> {
        let text = &self.0[CONFIG];
        serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text))
            .map_err(|error| Error::file(Path::new(CONFIG), error))
    }

    /// The same files with another config.
    pub(super) fn with_config(&self, config: &Value) -> Self {
        let mut files = self.0.clone();
        files.insert(CONFIG.to_owned(), format!("{config:#}\n").into_bytes());
        Self(files)
    }

    /// The same files, with one key of the config changed.
    ///
    /// # Errors
    ///
    /// Those of [`HfFiles::config`].
    pub(crate) fn with_key(&self, key: &str, value: &Value) -> Result<Self> {
        let mut config = self.config()?;
        config[key] = value.clone();
        Ok(self.with_config(&config))
    }

    /// Every file, ready to go beside float32 weights: as read, except that a config that names another type is
    /// changed.
    pub(super) fn beside_f32(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let (mut files, mut config) = (self.0.clone(), self.config()?);
        let mut renamed = false;
        // The names in transformers 5 and 4.
        for key in ["dtype", "torch_dtype"] {
            let Some(named) = config.get(key) else { continue };
            // `HookedTransformer` writes the name with its module.
            let wanted = if named.as_str().is_some_and(|named| named.starts_with("torch.")) {
                "torch.float32"
            } else {
                "float32"
            };
            if named != wanted {
                config[key] = wanted.into();
                renamed = true;
            }
        }
        if renamed {
            files.insert(CONFIG.to_owned(), format!("{config:#}\n").into_bytes());
        }
        Ok(files)
    }
}

/// The named chat templates of a folder, in order of their names.
fn more_templates(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(MORE_TEMPLATES)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "jinja"))
        .map(|name| format!("{MORE_TEMPLATES}/{name}"))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str) -> HfFiles {
        HfFiles(BTreeMap::from([(CONFIG.to_owned(), config.as_bytes().to_vec())]))
    }

    #[test]
    fn a_config_stays_as_it_was_unless_it_names_another_type() {
        for config in [r#"{ "a":1e-05,"dtype":"float32"}"#, r#"{"b" : 1.0}"#, r#"{"dtype":"torch.float32"}"#] {
            assert_eq!(files(config).beside_f32().unwrap()[CONFIG], config.as_bytes());
        }
        let told = files(r#"{"dtype":"torch.bfloat16"}"#).beside_f32().unwrap();
        assert_eq!(std::str::from_utf8(&told[CONFIG]).unwrap(), "{\n  \"dtype\": \"torch.float32\"\n}\n");
        let told = files(r#"{"z":0.5,"torch_dtype":"bfloat16","a":[1]}"#).beside_f32().unwrap();
        let expected = "{\n  \"z\": 0.5,\n  \"torch_dtype\": \"float32\",\n  \"a\": [\n    1\n  ]\n}\n";
        assert_eq!(std::str::from_utf8(&told[CONFIG]).unwrap(), expected);
    }

    #[test]
    fn named_chat_templates_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(MORE_TEMPLATES);
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join(CONFIG), r#"{"model_type":"gpt2"}"#).unwrap();
        for name in ["rag.jinja", "a.jinja", "notes.txt"] {
            std::fs::write(inner.join(name), name).unwrap();
        }
        let kept = HfFiles::read(folder.path()).unwrap().unwrap();
        let names: Vec<&str> = kept.0.keys().map(String::as_str).collect();
        assert_eq!(names, ["additional_chat_templates/a.jinja", "additional_chat_templates/rag.jinja", CONFIG]);
    }

    #[test]
    fn a_folder_of_our_own_layout_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(HfFiles::read(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join(CONFIG), "{}").unwrap();
        assert_eq!(HfFiles::read(folder.path()).unwrap(), Some(files("{}")));
        std::fs::write(folder.path().join("arrakis.json"), "{}").unwrap();
        assert_eq!(HfFiles::read(folder.path()).unwrap(), None);
    }
}
