//! Checks the files of a store, and clears what crashes left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::json::{BLOBS, blob_files};
use super::super::store::{HELPERS, STATES};
use super::super::{Problem, Store, Unreadable};
use crate::error::{Error, Result};

/// How files begin that are not whole yet.
const UNFINISHED: &str = ".writing-";

/// The folder that files are moved to that are not records.
const ASIDE: &str = "set-aside";

/// Files younger than this may belong to a process that is writing them.
const YOUNG: Duration = Duration::from_hours(1);

/// What lies in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The number of intact records, their arrays included.
    pub intact: usize,
    /// Intact records that a newer version of this program wrote.
    pub newer: Vec<Unreadable>,
    /// Files that are not records, records that were changed, and records whose arrays are missing or were changed.
    pub bad: Vec<Unreadable>,
    /// Unfinished files of processes that were stopped, older than an hour.
    pub leftovers: Vec<PathBuf>,
    /// Arrays that no record of their folder has, older than an hour.
    pub unused: Vec<PathBuf>,
}

impl Check {
    /// Whether there is nothing to clear.
    pub fn is_clean(&self) -> bool {
        self.bad.is_empty() && self.leftovers.is_empty() && self.unused.is_empty()
    }

    /// Removes leftovers and unused arrays. What is not a record at all is moved to the folder `set-aside` beside it. Records
    /// that were changed and records that lack an array stay where they are: they hold what may be repaired.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] naming the first file that cannot be removed or moved.
    pub fn clear(&self) -> Result<()> {
        for path in self.leftovers.iter().chain(&self.unused) {
            match fs::remove_file(path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Write { path: path.clone(), source });
                }
                _ => {}
            }
        }
        let strangers = self.bad.iter().filter(|file| matches!(file.problem, Problem::NotARecord { .. }));
        strangers.map(|file| &file.path).try_for_each(|path| set_aside(path))
    }

    fn note(&mut self, path: PathBuf, problem: Problem) {
        let file = Unreadable { path, problem };
        match file.problem {
            Problem::NewerFormat { .. } | Problem::NewerContents { .. } => self.newer.push(file),
            _ => self.bad.push(file),
        }
    }
}

impl Store {
    /// Reads every file of the store and checks it against its digest. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a folder cannot be read.
    pub fn check(&self) -> Result<Check> {
        let mut check = Check::default();
        for name in self.names()? {
            self.check_folder(&name, &mut check)?;
        }
        Ok(check)
    }

    fn check_folder(&self, name: &str, check: &mut Check) -> Result<()> {
        let (mut used, mut known) = (BTreeSet::new(), true);
        for path in self.files(name)? {
            let read = Self::read(&path).and_then(|record| {
                used.extend(blob_files(&record.to_json()));
                record.verify()
            });
            match read {
                Ok(()) => check.intact += 1,
                Err(problem) => {
                    // Its arrays are not known.
                    known = known && matches!(problem, Problem::Array { .. });
                    check.note(path, problem);
                }
            }
        }
        let folder = self.folder_of(name);
        let arrays = old_files(&folder.join(BLOBS));
        check.leftovers.extend(unfinished(&folder));
        let is_used = |path: &PathBuf| path.file_name().is_some_and(|name| used.contains(&*name.to_string_lossy()));
        check.unused.extend(arrays.into_iter().filter(|path| known && !is_unfinished(path) && !is_used(path)));
        Ok(())
    }
}

/// Files that were never finished, of the records and of what lies beside them.
pub(super) fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let folders = ["", BLOBS, HELPERS, STATES, "registrations", "profiles", "figures"].map(|name| folder.join(name));
    folders.iter().flat_map(|folder| old_files(folder)).filter(|path| is_unfinished(path)).collect()
}

fn set_aside(path: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let aside = folder.join(ASIDE);
    let moved = fs::create_dir_all(&aside).and_then(|()| fs::rename(path, aside.join(name)));
    moved.map_err(|source| Error::Write { path: path.to_owned(), source })
}

pub(super) fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

/// The files of a folder that no process can be writing any more, sorted.
pub(super) fn old_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_old = |entry: &fs::DirEntry| {
        let changed = entry.metadata().ok().filter(fs::Metadata::is_file).and_then(|facts| facts.modified().ok());
        changed.is_some_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > YOUNG))
    };
    let mut paths: Vec<PathBuf> = entries.filter(is_old).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs::File;

    use super::super::super::record::tests::record;
    use super::*;

    /// A file that was written two hours ago.
    pub(in crate::experiment) fn old(path: PathBuf, text: &str) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - 2 * YOUNG).unwrap();
        path
    }

    #[test]
    fn leftovers_go_and_everything_good_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let good = store.write(&record(0).sealed()).unwrap();
        let changed = store.write(&record(1).sealed()).unwrap();
        fs::write(&changed, fs::read_to_string(&changed).unwrap().replace("\"seed\": 0", "\"seed\": 1")).unwrap();
        let sweep = store.folder_of("sweep");
        let leftover = old(sweep.join(".writing-abc.json"), "{");
        let unused = old(sweep.join(BLOBS).join("00.safetensors"), "");
        let stranger = old(sweep.join("half.json"), "{\"id\":");
        let young = sweep.join(".writing-now.json");
        fs::write(&young, "{").unwrap();
        let check = store.check().unwrap();
        assert_eq!((check.intact, check.newer.len(), check.bad.len()), (1, 0, 2));
        assert_eq!(check.leftovers, std::slice::from_ref(&leftover));
        assert_eq!(check.unused, [] as [PathBuf; 0], "the arrays of a record that cannot be read are not known");
        check.clear().unwrap();
        assert!(good.is_file() && changed.is_file() && young.is_file() && unused.is_file() && !leftover.exists());
        assert!(!stranger.exists() && sweep.join(ASIDE).join("half.json").is_file());
        fs::remove_file(&changed).unwrap();
        let check = store.check().unwrap();
        assert_eq!((check.unused.as_slice(), check.is_clean()), ([unused].as_slice(), false));
        check.clear().unwrap();
        assert!(store.check().unwrap().is_clean());
    }
}
