//! A document, and what the readers of all formats share.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The most bytes of one document, so that a file of another kind cannot fill the memory.
pub(super) const LONGEST: u64 = 256 << 20;

/// A document as it is read.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::corpus) enum Content {
    Text(String),
    Tokens(Vec<u32>),
}

/// The documents of one file.
pub(super) trait Documents {
    /// The next document; `None` at the end.
    fn next(&mut self) -> Result<Option<Content>>;

    /// Bytes of the file that have been read.
    fn done(&self) -> u64;
}

/// The error of a place in a file, such as `, line 3`.
pub(super) fn wrong(path: &Path, place: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Corpus { path: PathBuf::from(path), place: place.into(), problem: problem.into() }
}

/// The text of bytes, without a byte order mark.
pub(super) fn text_of(bytes: Vec<u8>, path: &Path, place: &str) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(path, place, format!("byte {at} is not UTF-8; save the file as UTF-8"))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
