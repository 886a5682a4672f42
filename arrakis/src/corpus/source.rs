//! What a pass reads.

use std::path::{Path, PathBuf};

use arrakis_models::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Result;

/// Documents to run a model on. Files are read as they are needed, in the order given.
///
/// A document without text (a blank line, a `null`) is counted and skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corpus {
    pub(super) kind: Kind,
    pub(super) files: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Kind {
    Lines,
    WholeFiles,
    JsonLines { field: String },
    Parquet { column: String },
    Texts { documents: Vec<String> },
    Tokens { documents: Vec<Vec<u32>> },
}

impl Corpus {
    /// Text files in which each line is a document.
    pub fn lines<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        Self::of(Kind::Lines, files)
    }

    /// Text files of which each is one document. The largest is held in memory.
    pub fn files<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        Self::of(Kind::WholeFiles, files)
    }

    /// JSON lines: an object a line, whose field `text` is a document. [`Corpus::column`] names another field.
    pub fn json_lines<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        Self::of(Kind::JsonLines { field: "text".into() }, files)
    }

    /// Parquet files, whose column `text` holds a document a row. [`Corpus::column`] names another column.
    ///
    /// Pages may be plain or compressed with Snappy, gzip, LZ4 or Brotli. Reading needs the cargo feature `parquet`.
    pub fn parquet<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        Self::of(Kind::Parquet { column: "text".into() }, files)
    }

    /// Texts in memory.
    pub fn texts<T: Into<String>>(documents: impl IntoIterator<Item = T>) -> Self {
        let documents = documents.into_iter().map(Into::into).collect();
        Self { kind: Kind::Texts { documents }, files: Vec::new() }
    }

    /// Token ids in memory, `[document][token]`, for a model without a tokenizer.
    pub fn tokens(documents: impl IntoIterator<Item = Vec<u32>>) -> Self {
        Self { kind: Kind::Tokens { documents: documents.into_iter().collect() }, files: Vec::new() }
    }

    /// Names the field of JSON lines or the column of Parquet that holds the text. Other corpora have none and stay as
    /// they are.
    #[must_use]
    pub fn column(mut self, name: &str) -> Self {
        match &mut self.kind {
            Kind::JsonLines { field: named } | Kind::Parquet { column: named } => name.clone_into(named),
            _ => {}
        }
        self
    }

    fn of<P: AsRef<Path>>(kind: Kind, files: impl IntoIterator<Item = P>) -> Self {
        Self { kind, files: files.into_iter().map(|file| file.as_ref().to_owned()).collect() }
    }

    /// A digest of what is read and how: 64 hexadecimal digits. Reads every file once, also over several processes if it is large;
    /// their names do not enter.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut digest = Sha256::new();
        digest.update(serde_json::to_string(&self.kind).expect("BUG: a corpus is plain data"));
        for path in &self.files {
            let hex = files::digest(path)?;
            digest.update(bytes_of(&hex));
        }
        Ok(format!("{:x}", digest.finalize()))
    }
}

/// The bytes that pairs of hexadecimal digits stand for.
fn bytes_of(hex: &str) -> Vec<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| 16 * byte + value(*digit))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_contents_and_of_how_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (one, same, other) = (write("one", "a\nb\n"), write("same", "a\nb\n"), write("other", "a\nc\n"));
        let print = |corpus: Corpus| corpus.fingerprint().unwrap();
        assert_eq!(print(Corpus::lines([&one])), print(Corpus::lines([&same])));
        let by_hand = Sha256::new().chain_update("\"Lines\"").chain_update(Sha256::digest("a\nb\n"));
        assert_eq!(print(Corpus::lines([&one])), format!("{:x}", by_hand.finalize()));
        assert_ne!(print(Corpus::lines([&one])), print(Corpus::lines([&other])));
        assert_ne!(print(Corpus::lines([&one])), print(Corpus::files([&one])));
        let json = |name: &str| print(Corpus::json_lines([&one]).column(name));
        assert_ne!(json("text"), json("body"));
        assert_ne!(print(Corpus::texts(["ab", "c"])), print(Corpus::texts(["a", "bc"])));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Corpus::lines(["no/such.txt"]).fingerprint().unwrap_err().to_string();
        assert!(error.starts_with("cannot read `no/such.txt`: "), "{error}");
    }
}
