//! Some files of a folder of a repository.

use std::path::{Component, Path, PathBuf};

use hf_hub::Cache;

use super::id::Id;
use super::settings::Settings;
use super::snapshot::{Snapshot, api, commit_of, snapshot_in_cache};
use super::told::is_absent;
use crate::error::{Error, Result};

/// Fetches as [`fetch_parts`](super::fetch_parts) does, by these settings. `None` if no set's first file is there.
pub(super) fn fetch_by(
    settings: &Settings,
    name: &str,
    progress: bool,
    folder: &str,
    sets: &[&[&str]],
) -> Result<Option<PathBuf>> {
    let failed = |problem: String| Error::Hub { id: name.to_owned(), problem };
    let no_id = "this is neither an existing path nor an id such as `owner/name` or `owner/name/folder@revision`";
    let id = Id::parse(name).ok_or_else(|| failed(no_id.into()))?;
    let plain = |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains(['\\', '\0']);
    if !folder.is_empty() && !folder.split('/').all(plain) {
        return Err(failed(format!("`{folder}` is no folder of a repository; give names with `/` between them")));
    }
    if settings.offline {
        let folder = snapshot_in_cache(settings, &id).map(|snapshot| snapshot.join(folder));
        return Ok(folder.filter(|folder| sets.iter().any(|set| folder.join(set[0]).is_file())));
    }
    let api = api(settings, progress).map_err(|error| failed(error.to_string()))?;
    let asked = Snapshot { repo: api.repo(id.repo_at(&id.revision)), commit: None, id: &id, settings };
    for set in sets {
        let first = within(folder, set[0]);
        let found = match asked.get(&first) {
            Err(error) if is_absent(&error) => continue,
            other => other.map_err(|error| failed(asked.told(&error, &first)))?,
        };
        let snapshot = above(&found, &first).ok_or_else(|| failed("it did not say which commit it sent".into()))?;
        let commit = commit_of(&snapshot).ok_or_else(|| failed("it did not say which commit it sent".into()))?;
        let pinned = id.repo_at(&commit);
        let listed = Cache::new(settings.cache.clone()).repo(pinned.clone()).create_ref(&commit);
        listed.map_err(|error| failed(error.to_string()))?;
        let rest = Snapshot { repo: api.repo(pinned), commit: Some(commit), id: &id, settings };
        for file in &set[1..] {
            let file = within(folder, file);
            rest.if_there(&file).map_err(|error| failed(rest.told(&error, &file)))?;
        }
        return Ok(Some(snapshot.join(folder)));
    }
    Ok(None)
}

/// The error of a folder that has none of the sets.
pub(super) fn none(name: &str, folder: &str, sets: &[&[&str]]) -> Error {
    let firsts: Vec<&str> = sets.iter().map(|set| set[0]).collect();
    let place = if folder.is_empty() { "it".to_owned() } else { format!("its folder `{folder}`") };
    let problem = format!("{place} has none of {}; add the folder of one of them to the name", firsts.join(", "));
    Error::Hub { id: name.to_owned(), problem }
}

/// The path of a file in the repository: `..` is resolved.
fn within(folder: &str, file: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(folder).join(file).components() {
        match part {
            Component::ParentDir => _ = parts.pop(),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

/// The folder in which a file has this path.
fn above(found: &Path, path: &str) -> Option<PathBuf> {
    found.ancestors().nth(path.split('/').count()).map(Path::to_owned)
}
