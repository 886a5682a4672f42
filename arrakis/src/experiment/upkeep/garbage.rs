//! What a store and the user's cache hold that nothing needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use arrakis_models::ground::cache;

use super::super::json::{BLOBS, blob_files};
use super::super::store::{HELPERS, STATES};
use super::super::{Store, index};
use super::check::{is_unfinished, old_files, unfinished};
use crate::error::{Error, Result};

/// Files and folders that can go.
///
/// Kept is everything that a record names: its arrays, the texts of its helpers, the changes of its sources, its figures, profile,
/// registration, tags, notes and metrics. Kept are also the registrations and the metrics of runs that were killed before they had a
/// record, what `fsck` set aside, and everything beside a record that cannot be read. Nothing is garbage in its first hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Arrays, helpers' texts and changes of sources that no record of their folder names.
    pub unnamed: Vec<PathBuf>,
    /// Unfinished files of processes that were stopped.
    pub leftovers: Vec<PathBuf>,
    /// Folders in the user's cache: indexes of folders that are gone and of older programs, builds of repositories that are gone.
    pub cached: Vec<PathBuf>,
}

impl Garbage {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.paths().next().is_none()
    }

    /// Everything that can go.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.unnamed.iter().chain(&self.leftovers).chain(&self.cached).map(PathBuf::as_path)
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.paths().map(bytes).sum()
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] naming the first file that cannot be removed.
    pub fn clear(&self) -> Result<()> {
        self.paths().try_for_each(|path| {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            match removed {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::Write { path: path.to_owned(), source })
                }
                _ => Ok(()),
            }
        })
    }
}

impl Store {
    /// What nothing needs, in the store and in the user's cache. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a folder cannot be read.
    pub fn garbage(&self) -> Result<Garbage> {
        let mut garbage = Garbage { cached: index::orphans(), ..Garbage::default() };
        garbage.cached.extend(
            cache::folder().into_iter().flat_map(|folder| index::orphans_in(&folder.join("rerun"), index::YOUNG)),
        );
        for name in self.names()? {
            let folder = self.folder_of(&name);
            garbage.leftovers.extend(unfinished(&folder));
            if let Some(named) = self.named(&name)? {
                garbage.unnamed.extend(unnamed(&folder, &named));
            }
        }
        Ok(garbage)
    }

    /// The names of files that the records of an experiment need. `None` if one of them cannot be read.
    fn named(&self, name: &str) -> Result<Option<BTreeSet<String>>> {
        let mut named = BTreeSet::new();
        for path in self.files(name)? {
            let Ok(record) = Self::read(&path) else { return Ok(None) };
            named.extend(blob_files(&record.to_json()));
            named.extend(record.helpers.iter().map(|helper| format!("{}.rs", helper.hash)));
            named.extend(record.git.and_then(|git| git.state).map(|digest| format!("{digest}.json")));
        }
        Ok(Some(named))
    }
}

fn unnamed(folder: &Path, named: &BTreeSet<String>) -> Vec<PathBuf> {
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| named.contains(&*name.to_string_lossy()));
    let files = [BLOBS, HELPERS, STATES].into_iter().flat_map(|name| old_files(&folder.join(name)));
    files.filter(|path| !is_named(path) && !is_unfinished(path)).collect()
}

fn bytes(path: &Path) -> u64 {
    let Ok(facts) = path.symlink_metadata() else { return 0 };
    if !facts.is_dir() {
        return facts.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::super::super::{Git, UsedHelper};
    use super::super::check::tests::old;
    use super::*;

    #[test]
    fn what_a_record_names_stays_and_the_rest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let mut kept = record(0);
        let used = UsedHelper { path: "m::f".into(), hash: "aa".into(), file: "a.rs".into(), line: 1 };
        kept.helpers = vec![used];
        kept.git = Some(Git { commit: "0".into(), dirty: true, package: String::new(), state: Some("bb".into()) });
        store.write(&kept.sealed()).unwrap();
        let sweep = store.folder_of("sweep");
        let needed = ["helpers/aa.rs", "states/bb.json", "metrics/x.jsonl", "registrations/y.json", "set-aside/z.json"];
        let needed = needed.map(|path| old(sweep.join(path), "1"));
        let unneeded =
            ["blobs/00.safetensors", "helpers/cc.rs", "states/dd.json"].map(|path| old(sweep.join(path), "123"));
        let leftover = old(sweep.join("helpers/.writing-x.rs"), "1");
        let young = sweep.join("helpers/ee.rs");
        fs::write(&young, "1").unwrap();
        let garbage = Garbage { cached: Vec::new(), ..store.garbage().unwrap() };
        assert_eq!((&garbage.unnamed, &garbage.leftovers), (&unneeded.to_vec(), &vec![leftover]));
        assert_eq!(garbage.bytes(), 3 * 3 + 1);
        let bad = sweep.join("half.json");
        fs::write(&bad, "{").unwrap();
        assert_eq!(store.garbage().unwrap().unnamed, [] as [PathBuf; 0], "what a bad record names is not known");
        fs::remove_file(bad).unwrap();
        garbage.clear().unwrap();
        garbage.clear().unwrap();
        assert!(needed.iter().chain([&young]).all(|path| path.is_file()));
        assert!(Garbage { cached: Vec::new(), ..store.garbage().unwrap() }.is_empty());
    }
}
