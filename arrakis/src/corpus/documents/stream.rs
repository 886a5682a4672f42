//! The documents of all files of a corpus.

use std::path::Path;

use super::document::{Content, Documents};
use super::{json_lines, lines, whole_file};
use crate::corpus::source::{Corpus, Kind};
use crate::error::{Error, Result};

/// The documents of all files, in order.
pub(in crate::corpus) struct Stream<'a> {
    corpus: &'a Corpus,
    file: usize,
    open: Option<Box<dyn Documents>>,
    /// Documents that were given.
    pub(in crate::corpus) given: usize,
    before: u64,
    /// Bytes of all files.
    pub(in crate::corpus) total: u64,
}

impl<'a> Stream<'a> {
    /// The documents after the first `skipped`.
    pub(in crate::corpus) fn after(corpus: &'a Corpus, skipped: usize) -> Result<Self> {
        let sizes = corpus.files.iter().map(|path| size(path)).collect::<Result<Vec<_>>>()?;
        let total = sizes.iter().sum();
        let mut stream = Self { corpus, file: 0, open: None, given: 0, before: 0, total };
        while stream.given < skipped && stream.next()?.is_some() {}
        Ok(stream)
    }

    /// The next document; `None` at the end.
    pub(in crate::corpus) fn next(&mut self) -> Result<Option<Content>> {
        let next = match &self.corpus.kind {
            Kind::Texts { documents } => documents.get(self.given).cloned().map(Content::Text),
            Kind::Tokens { documents } => documents.get(self.given).cloned().map(Content::Tokens),
            _ => self.next_of_files()?,
        };
        self.given += usize::from(next.is_some());
        Ok(next)
    }

    fn next_of_files(&mut self) -> Result<Option<Content>> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.corpus.files.get(self.file) else { return Ok(None) };
                self.open = Some(opened(&self.corpus.kind, path)?);
            }
            let open = self.open.as_mut().expect("BUG: it was opened above");
            if let Some(document) = open.next()? {
                return Ok(Some(document));
            }
            self.before += size(&self.corpus.files[self.file])?;
            self.file += 1;
            self.open = None;
        }
    }

    /// Bytes that have been read.
    pub(in crate::corpus) fn done(&self) -> u64 {
        self.before + self.open.as_ref().map_or(0, |open| open.done())
    }
}

fn opened(kind: &Kind, path: &Path) -> Result<Box<dyn Documents>> {
    Ok(match kind {
        Kind::Lines => Box::new(lines::Lines::open(path)?),
        Kind::JsonLines { field } => Box::new(json_lines::JsonLines::open(path, field)?),
        Kind::Parquet { column } => return parquet(path, column),
        Kind::WholeFiles | Kind::Texts { .. } | Kind::Tokens { .. } => Box::new(whole_file::WholeFile::open(path)?),
    })
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path, column: &str) -> Result<Box<dyn Documents>> {
    Ok(Box::new(super::parquet::Parquet::open(path, column)?))
}

#[cfg(not(feature = "parquet"))]
fn parquet(path: &Path, _: &str) -> Result<Box<dyn Documents>> {
    let problem = "this build reads no Parquet; build with the feature `parquet` of `arrakis`, or use JSON lines";
    Err(super::document::wrong(path, "", problem))
}

fn size(path: &Path) -> Result<u64> {
    let unread = |source| Error::Read { path: path.to_owned(), source };
    Ok(arrakis_models::files::open(path)?.metadata().map_err(unread)?.len())
}

#[cfg(test)]
pub(in crate::corpus) fn all(corpus: &Corpus) -> Result<Vec<Content>> {
    let mut stream = Stream::after(corpus, 0)?;
    std::iter::from_fn(|| stream.next().transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_and_a_stream_starts_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [path("a", "one\ntwo"), path("empty", ""), path("b", "three\n\nfive\r\n")];
        let words = ["one", "two", "three", "", "five"].map(|word| Content::Text(word.into()));
        let corpus = Corpus::lines(&files);
        assert_eq!(all(&corpus).unwrap(), words);
        let mut stream = Stream::after(&corpus, 3).unwrap();
        assert_eq!((stream.next().unwrap(), stream.given), (Some(words[3].clone()), 4));
        while stream.next().unwrap().is_some() {}
        assert_eq!((stream.done(), stream.given), (stream.total, 5));
        assert_eq!(all(&Corpus::files(&files[..1])).unwrap(), [Content::Text("one\ntwo".into())]);
    }
}
