//! Where a model's text ends.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::HookedTransformer;
use crate::checkpoint;
use crate::error::Result;
use crate::files::read_json;
use crate::ground::files::is_there;

/// The end-of-text ids of a folder, as transformers' `generate` takes them: those of `generation_config.json` if there
/// is one, else those of `config.json`. Each may be one id or a list. A GGUF file names its own.
///
/// # Errors
///
/// [`crate::Error::File`] for a file that is not JSON, or not GGUF.
pub fn stop_tokens(folder: &Path) -> Result<Vec<u32>> {
    if checkpoint::is_gguf(folder) {
        return Ok(ids(&checkpoint::read_gguf(folder)?.config["eos_token_id"]));
    }
    let generation = folder.join("generation_config.json");
    if is_there(&generation)? {
        return Ok(ids(&read_json(&generation)?["eos_token_id"]));
    }
    let config = folder.join("config.json");
    if !is_there(&config)? {
        return Ok(Vec::new());
    }
    let config = read_json(&config)?;
    let own = ids(&config["eos_token_id"]);
    Ok(if own.is_empty() { ids(&config["text_config"]["eos_token_id"]) } else { own })
}

/// One id or several.
fn ids(value: &Value) -> Vec<u32> {
    let listed = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
    listed.into_iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect()
}

impl HookedTransformer {
    /// The ids that end a text, from `generation_config.json` or `config.json`. Generation stops at them
    /// ([`crate::Generation::ignore_eos`]).
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// Sets the ids that end a text.
    #[must_use]
    pub fn with_stop_tokens(self, ids: impl IntoIterator<Item = u32>) -> Self {
        Self { stop_tokens: Arc::from_iter(ids), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(generation: Option<&str>, config: &str) -> Vec<u32> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = generation {
            std::fs::write(folder.path().join("generation_config.json"), text).unwrap();
        }
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        stop_tokens(folder.path()).unwrap()
    }

    /// What transformers 5.24 stops at, for the same files of a Llama checkpoint.
    #[test]
    fn the_generation_config_counts_and_without_one_the_config() {
        let config = r#"{"eos_token_id": [54, 2]}"#;
        assert_eq!(found(None, config), [54, 2]);
        assert_eq!(found(Some(r#"{"eos_token_id": 5}"#), config), [5]);
        assert_eq!(found(Some(r#"{"eos_token_id": [57]}"#), config), [57]);
        assert_eq!(found(Some(r#"{"bos_token_id": 1}"#), config), [0; 0]);
        assert_eq!(found(Some(r#"{"eos_token_id": null}"#), config), [0; 0]);
        assert_eq!(found(None, r#"{"eos_token_id": null}"#), [0; 0]);
        assert_eq!(found(None, r#"{"text_config": {"eos_token_id": 1}}"#), [1]);
    }
}
