//! A model from the Hugging Face Hub, through its own cache.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use serde_json::Value;

use crate::error::{Error, Result};

/// Fetches config, tokenizer and weights of a repository; what is cached is not fetched again.
///
/// Gives the folder of the cache's snapshot. Progress bars go to stderr.
///
/// # Errors
///
/// [`Error::Hub`] saying what could not be fetched, offline included.
pub fn fetch(id: &str) -> Result<PathBuf> {
    let failed = |problem: String| Error::Hub { id: id.to_owned(), problem };
    if !is_id(id) {
        return Err(failed("this is neither a folder that exists nor an id such as `gpt2` or `owner/name`".into()));
    }
    let api = ApiBuilder::from_env().with_progress(true).build().map_err(|error| failed(error.to_string()))?;
    let repo = api.model(id.to_owned());
    let config = repo.get("config.json").map_err(|error| failed(error.to_string()))?;
    for optional in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
        // Absent files are ordinary here; a network failure shows at the weights, which must be there.
        drop(repo.get(optional));
    }
    weights(&repo).map_err(failed)?;
    Ok(config.parent().map_or_else(PathBuf::new, Path::to_path_buf))
}

/// One file, or the shards an index names.
fn weights(repo: &ApiRepo) -> Result<(), String> {
    if repo.get("model.safetensors").is_ok() {
        return Ok(());
    }
    if let Ok(index) = repo.get("model.safetensors.index.json") {
        let text = std::fs::read_to_string(index).map_err(|error| error.to_string())?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("its index is not valid JSON: {error}"))?;
        let files: std::collections::BTreeSet<&str> = value["weight_map"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.values().filter_map(Value::as_str))
            .collect();
        return files
            .into_iter()
            .try_for_each(|file| repo.get(file).map(drop).map_err(|error| format!("{file}: {error}")));
    }
    repo.get("pytorch_model.bin")
        .map(drop)
        .map_err(|error| format!("it has neither model.safetensors nor pytorch_model.bin: {error}"))
}

/// `name` or `owner/name`, of the characters the Hub allows.
fn is_id(id: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parts: Vec<&str> = id.split('/').collect();
    parts.len() <= 2 && parts.into_iter().all(part)
}
