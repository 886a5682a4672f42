//! A model from the Hugging Face Hub, through the Hub's own cache.

mod id;
mod parts;
mod settings;
mod snapshot;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hf_hub::Cache;

use super::located::promised;
use crate::error::{Error, Result};
use id::Id;
use settings::Settings;
pub(crate) use snapshot::commit_of;
use snapshot::{Snapshot, api, snapshot_in_cache};
use told::is_absent;

/// Fetches config, tokenizer and weights of a repository, `owner/name` or `owner/name@revision`. Cached files are not
/// fetched again.
///
/// Returns the folder of the cache's snapshot, which is named after the commit. Progress bars go to stderr. `HF_HOME`,
/// `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean in Python.
///
/// # Errors
///
/// [`Error::Hub`] saying what went wrong and what to do.
pub fn fetch(id: &str) -> Result<PathBuf> {
    fetch_by(&Settings::of_process(), id, true, &MODEL)
}

/// Fetches an adapter, as [`fetch`] does a model.
///
/// # Errors
///
/// As [`fetch`].
pub(crate) fn fetch_adapter(id: &str) -> Result<PathBuf> {
    fetch_by(&Settings::of_process(), id, true, &ADAPTER)
}

/// Fetches files of a folder of a repository: of the sets of names, all of the first set whose first file is there. Names
/// may start with `../`. Files of a set besides its first may be missing.
///
/// Returns the folder in the cache's snapshot.
///
/// # Errors
///
/// As [`fetch`], also if no set's first file is there.
pub(crate) fn fetch_parts(id: &str, folder: &str, sets: &[&[&str]]) -> Result<PathBuf> {
    let found = parts::fetch_by(&Settings::of_process(), id, true, folder, sets)?;
    found.ok_or_else(|| parts::none(id, folder, sets))
}

/// Fetches a folder whose files are numbered: of each layer from 0 all files of the first set whose first file is there, until
/// a layer has none.
///
/// Returns the folder in the cache's snapshot.
///
/// # Errors
///
/// As [`fetch_parts`].
pub(crate) fn fetch_layers(id: &str, folder: &str, sets: fn(usize) -> Vec<Vec<String>>) -> Result<PathBuf> {
    layers_by(&Settings::of_process(), id, true, folder, sets)
}

fn layers_by(
    settings: &Settings,
    id: &str,
    progress: bool,
    folder: &str,
    sets: fn(usize) -> Vec<Vec<String>>,
) -> Result<PathBuf> {
    let mut found = None;
    for layer in 0.. {
        let names = sets(layer);
        let names: Vec<Vec<&str>> = names.iter().map(|set| set.iter().map(String::as_str).collect()).collect();
        let names: Vec<&[&str]> = names.iter().map(Vec::as_slice).collect();
        match (parts::fetch_by(settings, id, progress, folder, &names)?, found.take()) {
            (Some(own), earlier) => found = Some(earlier.unwrap_or(own)),
            (None, Some(all)) => return Ok(all),
            (None, None) => return Err(parts::none(id, folder, &names)),
        }
    }
    unreachable!("BUG: a folder has an end")
}

/// What to fetch: the file that must be there, and how to fetch the others of its commit.
struct Wanted {
    first: &'static str,
    others: fn(&Snapshot<'_>) -> Result<(), String>,
}

const MODEL: Wanted = Wanted { first: "config.json", others: model };
const ADAPTER: Wanted = Wanted { first: "adapter_config.json", others: adapter };

fn fetch_by(settings: &Settings, name: &str, progress: bool, wanted: &Wanted) -> Result<PathBuf> {
    let failed = |problem: String| Error::Hub { id: name.to_owned(), problem };
    let no_id = "this is neither an existing folder nor an id such as `gpt2`, `owner/name` or `owner/name@revision`";
    let id = Id::parse(name).ok_or_else(|| failed(no_id.into()))?;
    if settings.offline {
        let (revision, cache) = (&id.revision, settings.cache.display());
        return cached(settings, &id, wanted.first).ok_or_else(|| {
            failed(format!(
                "`HF_HUB_OFFLINE` is set, and revision `{revision}` is not in the cache `{cache}`; unset it to download the model"
            ))
        });
    }
    let api = api(settings, progress).map_err(|error| failed(error.to_string()))?;
    let asked = Snapshot { repo: api.repo(id.repo_at(&id.revision)), commit: None, id: &id, settings };
    let folder = asked.first(wanted).map_err(failed)?;
    if !folder.join(wanted.first).is_file() {
        return Ok(folder);
    }
    // All files are of the commit that the first is of, even if the branch moves meanwhile.
    let commit = commit_of(&folder).ok_or_else(|| failed("it did not say which commit it sent".into()))?;
    let pinned = id.repo_at(&commit);
    let listed = Cache::new(settings.cache.clone()).repo(pinned.clone()).create_ref(&commit);
    listed.map_err(|error| failed(error.to_string()))?;
    let snapshot = Snapshot { repo: api.repo(pinned), commit: Some(commit), id: &id, settings };
    (wanted.others)(&snapshot).map_err(failed)?;
    Ok(folder)
}

/// The folder of a revision in the cache, if its first file is there.
fn cached(settings: &Settings, id: &Id, first: &str) -> Option<PathBuf> {
    snapshot_in_cache(settings, id).filter(|snapshot| snapshot.join(first).is_file())
}

impl Snapshot<'_> {
    /// The folder with the first file. A repository with an adapter alone gives that, to be named.
    fn first(&self, wanted: &Wanted) -> Result<PathBuf, String> {
        let file = match self.repo.get(wanted.first) {
            Err(error) if is_absent(&error) => self.repo.get(ADAPTER.first).map_err(|_| {
                format!(
                    "it has no {}, so it does not hold what transformers loads; give another model, or download one of its GGUF files \
                     and give its path",
                    wanted.first
                )
            }),
            other => other.map_err(|error| self.told(&error, wanted.first)),
        };
        Ok(file?.parent().map_or_else(PathBuf::new, Path::to_path_buf))
    }
}

/// Small files of a model, besides its tokenizer. An adapter beside a model is named when it is not applied.
const BESIDE: [&str; 5] = [
    "adapter_config.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// The files of a model besides config.json.
fn model(snapshot: &Snapshot<'_>) -> Result<(), String> {
    for file in BESIDE {
        snapshot.optional(file);
    }
    // transformers writes named templates beside this one.
    if snapshot.optional("chat_template.jinja") {
        snapshot.more_templates();
    }
    // GPT-2's older format has two files, BERT's one.
    let _ = snapshot.optional("tokenizer.json")
        || (snapshot.optional("vocab.json") && snapshot.optional("merges.txt"))
        || snapshot.optional("vocab.txt")
        || snapshot.optional("tokenizer.model");
    weights(snapshot)
}

/// One file, or the shards an index names. A file that cannot be fetched may not be needed: without a network, the cache
/// of a sharded model does not hold a single file.
fn weights(snapshot: &Snapshot<'_>) -> Result<(), String> {
    let mut problem = None;
    let mut fetched = |file: &str| {
        snapshot.if_there(file).unwrap_or_else(|error| {
            problem.get_or_insert_with(|| snapshot.told(&error, file));
            None
        })
    };
    for single in ["model.safetensors", "pytorch_model.bin"] {
        if fetched(single).is_some() {
            return Ok(());
        }
        if let Some(index) = fetched(&format!("{single}.index.json")) {
            // Names that lead out of the folder are refused before anything is written there.
            let promised = promised(&index).map_err(|error| error.to_string())?;
            let shards: BTreeSet<String> = promised.into_values().collect();
            let get = |shard: &String| snapshot.get(shard).map(drop).map_err(|error| snapshot.told(&error, shard));
            return shards.iter().try_for_each(get);
        }
    }
    let none = "it has no weights: neither model.safetensors nor pytorch_model.bin, as one file or in shards";
    Err(problem.unwrap_or_else(|| none.into()))
}

/// The weights of an adapter.
fn adapter(snapshot: &Snapshot<'_>) -> Result<(), String> {
    for file in ["adapter_model.safetensors", "adapter_model.bin"] {
        if snapshot.if_there(file).map_err(|error| snapshot.told(&error, file))?.is_some() {
            return Ok(());
        }
    }
    Err("its adapter has no weights: neither adapter_model.safetensors nor adapter_model.bin".into())
}
