//! A file that was read during a call.

use std::path::PathBuf;

use crate::experiment::DataFile;

/// A file that was read, and the folder that its path began at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReadFile {
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
}

/// The digests of the files, and what is wrong with those that have none.
pub(super) fn digests(read: impl IntoIterator<Item = ReadFile>) -> (Vec<DataFile>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for ReadFile { path, folder } in read {
        match DataFile::named(&path, &folder) {
            Ok(file) => found.push(file),
            Err(error) => problems.push(format!("a file that the run read is not in its version: {error}")),
        }
    }
    found.sort();
    found.dedup();
    (found, problems)
}
