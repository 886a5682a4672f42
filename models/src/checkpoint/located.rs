//! Which files of a folder hold its weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lies::no_weights;
use crate::error::{Error, Result};
use crate::families;
use crate::ground::files::{is_there, read_json};

/// The files that hold a folder's weights, and where an index says each tensor is.
pub(super) type Located = (Vec<PathBuf>, BTreeMap<String, String>);

/// One file, or the shards an index names.
pub(super) fn weight_files(folder: &Path) -> Result<Located> {
    refuse_named_elsewhere(folder)?;
    for single in ["model.safetensors", "pytorch_model.bin"] {
        let (path, index) = (folder.join(single), folder.join(format!("{single}.index.json")));
        if is_there(&path)? {
            return Ok((vec![path], BTreeMap::new()));
        }
        if is_there(&index)? {
            return shards(folder, &index);
        }
    }
    if let Some(path) = state_dict(folder) {
        return Ok((vec![path], BTreeMap::new()));
    }
    Err(Error::file(folder, no_weights(folder)))
}

/// Refuses a folder whose config names another file with the weights, which transformers would read instead.
fn refuse_named_elsewhere(folder: &Path) -> Result<()> {
    let config = read_json(&folder.join("config.json")).unwrap_or_default();
    let named = config.get("transformers_weights").and_then(|name| name.as_str()).filter(|name| is_plain(name));
    match named.filter(|name| !name.starts_with("model.safetensors") && folder.join(name).is_file()) {
        Some(name) => Err(Error::file(
            folder,
            format!(
                "config.json says that the weights are in `{name}` (`transformers_weights`); rename that file model.safetensors, and remove the key"
            ),
        )),
        None => Ok(()),
    }
}

/// The one file with the weights of a `HookedTransformer`, which has no usual name.
fn state_dict(folder: &Path) -> Option<PathBuf> {
    let config = read_json(&folder.join("config.json")).ok()?;
    if !families::is_hooked_transformer(&config) {
        return None;
    }
    let files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let only = |end: &str| {
        let mut found = files.iter().filter(|path| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(end)));
        found.next().filter(|_| found.next().is_none()).cloned()
    };
    ["pth", "pt", "safetensors", "bin"].into_iter().find_map(only)
}

/// The distinct files of an index, which must all exist.
fn shards(folder: &Path, index: &Path) -> Result<Located> {
    let promised = promised(index)?;
    let names: BTreeSet<&String> = promised.values().collect();
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(name);
        if !is_there(&path)? {
            return Err(Error::file(index, format!("the shard `{name}` is missing; download it beside the index")));
        }
        files.push(path);
    }
    Ok((files, promised))
}

/// The `weight_map` of an index, from tensors to files. The names of the files must be plain.
pub(super) fn promised(index: &Path) -> Result<BTreeMap<String, String>> {
    let value = read_json(index)?;
    let map = value
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| Error::file(index, "it has no `weight_map` from tensors to files; download it again"))?;
    let pairs = map.iter().map(|(tensor, file)| {
        let name = file.as_str().filter(|name| is_plain(name)).ok_or_else(|| {
            Error::file(index, format!("it says that `{tensor}` is in {file}, which is not a file of this folder"))
        })?;
        Ok((tensor.clone(), name.to_owned()))
    });
    pairs.collect()
}

/// Whether a name stays in its folder on every operating system.
fn is_plain(name: &str) -> bool {
    let within = !name.contains(['/', '\\']) && !name.contains(char::is_control);
    within && Path::new(name).file_name().is_some_and(|last| last == name)
}
