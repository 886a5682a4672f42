//! Files of a training run, with errors that name them.

use std::path::Path;

use arrakis::models::Error;

/// A file that cannot be what it should be.
pub(super) fn broken(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::File { path: path.to_owned(), problem: problem.to_string() }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
