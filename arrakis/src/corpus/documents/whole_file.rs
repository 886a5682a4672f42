//! Text files of which each is one document.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::document::{Content, Documents, LONGEST, text_of, wrong};
use crate::error::{Error, Result};

/// A file that is read when it is asked for.
pub(super) struct WholeFile {
    path: Option<PathBuf>,
    done: u64,
}

impl WholeFile {
    #[allow(clippy::unnecessary_wraps, reason = "readers of other formats may fail here")]
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: Some(path.to_owned()), done: 0 })
    }
}

impl Documents for WholeFile {
    fn next(&mut self) -> Result<Option<Content>> {
        let Some(path) = self.path.take() else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = arrakis_models::files::open(&path)?.take(LONGEST + 1).read_to_end(&mut bytes);
        self.done = read.map_err(|source| Error::Read { path: path.clone(), source })? as u64;
        if self.done > LONGEST {
            let most = LONGEST >> 20;
            return Err(wrong(&path, "", format!("it is longer than {most} MiB; split it, or read it line by line")));
        }
        text_of(bytes, &path, "").map(|text| Some(Content::Text(text)))
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
    fn a_file_is_a_document() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(all(&Corpus::files([&path])).unwrap(), [Content::Text("one\ntwo\n".into())]);
        std::fs::write(&path, b"a\xff").unwrap();
        let error = all(&Corpus::files([&path])).unwrap_err().to_string();
        let file = path.display();
        assert_eq!(error, format!("cannot read the corpus `{file}`: byte 1 is not UTF-8; save the file as UTF-8"));
    }
}
