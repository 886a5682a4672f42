//! Text files with a document a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::document::{Content, Documents, LONGEST, text_of, wrong};
use crate::error::{Error, Result};

/// The lines of a file, without their ends.
pub(super) struct Lines {
    reader: BufReader<File>,
    pub(super) path: PathBuf,
    /// The number of the last line read, from 1.
    pub(super) line: usize,
    done: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let reader = BufReader::new(arrakis_models::files::open(path)?);
        Ok(Self { reader, path: path.to_owned(), line: 0, done: 0 })
    }

    pub(super) fn next_line(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(LONGEST + 1).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| Error::Read { path: self.path.clone(), source })? as u64;
        if read == 0 {
            return Ok(None);
        }
        (self.line, self.done) = (self.line + 1, self.done + read);
        if read > LONGEST {
            return Err(self.wrong(format!("it is longer than {} MiB; is it a text file?", LONGEST >> 20)));
        }
        let ends = bytes.iter().rev().take(2).take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        bytes.truncate(bytes.len() - ends);
        text_of(bytes, &self.path, &self.place()).map(Some)
    }

    /// The error of the last line read.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> Error {
        wrong(&self.path, self.place(), problem)
    }

    fn place(&self) -> String {
        format!(", line {}", self.line)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.done
    }
}

impl Documents for Lines {
    fn next(&mut self) -> Result<Option<Content>> {
        Ok(self.next_line()?.map(Content::Text))
    }

    fn done(&self) -> u64 {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;
    use crate::corpus::Corpus;

    #[test]
    fn a_line_that_is_not_utf8_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"\xef\xbb\xbffine\nnot \xff fine\n").unwrap();
        let error = all(&Corpus::lines([&path])).unwrap_err().to_string();
        let file = path.display();
        assert_eq!(
            error,
            format!("cannot read the corpus `{file}`, line 2: byte 4 is not UTF-8; save the file as UTF-8")
        );
        std::fs::write(&path, b"\xef\xbb\xbffine\r\n").unwrap();
        assert_eq!(all(&Corpus::lines([&path])).unwrap(), [Content::Text("fine".into())]);
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = all(&Corpus::lines([folder.path()])).unwrap_err().to_string();
        assert!(error.contains("it is a folder"), "{error}");
    }
}
