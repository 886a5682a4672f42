//! A model from the Hugging Face Hub, through its own cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};

use super::files::promised;
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
    // Absent files are ordinary here; a network failure shows at the weights, which must be there.
    for optional in ["tokenizer_config.json", "generation_config.json"] {
        drop(repo.get(optional));
    }
    if repo.get("tokenizer.json").is_err() {
        drop(repo.get("vocab.json").and_then(|_| repo.get("merges.txt")));
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
        // Names that lead out of the folder are refused before anything is written under them.
        let promised = promised(&index).map_err(|error| error.to_string())?;
        let files: BTreeSet<&String> = promised.values().collect();
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
