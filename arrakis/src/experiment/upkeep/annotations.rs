//! Tags and notes that are added to a record later. The record itself stays as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Record, Store, clock};
use crate::error::{Error, Result};

/// The folder of the annotations, beside the records.
pub(in crate::experiment) const FOLDER: &str = "annotations";

/// What is added to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annotation {
    /// A tag.
    Tag(String),
    /// Takes a tag away, also one that the attribute gave.
    Untag(String),
    /// A remark.
    Note(String),
}

/// One line of the file: what was added, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(flatten)]
    what: Annotation,
}

/// Everything that was added to a record, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Vec<Line>);

impl Annotations {
    /// The tags of the record: those of the attribute, with what was added and taken away since.
    pub fn tags_of(&self, record: &Record) -> BTreeSet<String> {
        let mut tags: BTreeSet<String> = record.tags.iter().cloned().collect();
        for line in &self.0 {
            match &line.what {
                Annotation::Tag(tag) => drop(tags.insert(tag.clone())),
                Annotation::Untag(tag) => drop(tags.remove(tag)),
                Annotation::Note(_) => {}
            }
        }
        tags
    }

    /// The notes, each with its time (UTC, RFC 3339).
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|line| match &line.what {
            Annotation::Note(note) => Some((&*line.at, &**note)),
            _ => None,
        })
    }
}

impl Store {
    /// Adds a tag or a note to a record. Its file and its version stay as they are. With a [`Remote`](super::super::Remote) it is sent
    /// there too.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for an empty text, [`Error::Write`] if the store cannot be written, [`Error::NotSent`].
    pub fn annotate(&self, record: &Record, what: Annotation) -> Result<()> {
        let (Annotation::Tag(text) | Annotation::Untag(text) | Annotation::Note(text)) = &what;
        if text.trim().is_empty() {
            return Err(Error::Value { of: "Annotation", problem: "the text is empty".into() });
        }
        let line = serde_json::to_string(&Line { at: clock::now(), what }).expect("BUG: a line is plain data");
        let path = self.annotations_path(record);
        self.mark(record).map_err(|source| Error::Write { path: path.clone(), source })?;
        append(&path, &format!("\n{line}\n"))?;
        self.send(record, "the annotation")
    }

    /// What was added to a record. A line that was cut off or is not known is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file is there but cannot be read.
    pub fn annotations(&self, record: &Record) -> Result<Annotations> {
        let path = self.annotations_path(record);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Annotations(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Annotations::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn annotations_path(&self, record: &Record) -> PathBuf {
        self.folder_of(&record.name).join(name_of(&record.id))
    }
}

/// The path of the annotations of a record in the folder of its experiment.
pub(in crate::experiment) fn name_of(id: &str) -> String {
    format!("{FOLDER}/{id}.jsonl")
}

/// Adds the lines of a file of another store that are whole and not in this one yet.
pub(in crate::experiment) fn add_lines(path: &Path, theirs: &str) -> Result<()> {
    let new = new_lines(&fs::read_to_string(path).unwrap_or_default(), theirs);
    if new.is_empty() { Ok(()) } else { append(path, &new) }
}

/// The lines of one file that are whole and not in another.
pub(in crate::experiment) fn new_lines(there: &str, theirs: &str) -> String {
    let known: BTreeSet<&str> = there.lines().collect();
    let is_new = |line: &&str| !known.contains(line) && serde_json::from_str::<Line>(line).is_ok();
    theirs.lines().filter(is_new).fold(String::new(), |mut new, line| {
        let _ = write!(new, "\n{line}\n");
        new
    })
}

fn append(path: &Path, lines: &str) -> Result<()> {
    let append = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // One write: lines of two writers do not mix. A line that a crash cut off ends at the first newline.
        file.write_all(lines.as_bytes())?;
        file.sync_all()
    };
    append().map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::*;

    fn written() -> (tempfile::TempDir, Store, Record) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let record = Record { tags: vec!["first".into()], ..record(0) }.sealed();
        store.write(&record).unwrap();
        (folder, store, record)
    }

    #[test]
    fn tags_and_notes_leave_the_record_as_it_is() {
        let (_folder, store, record) = written();
        for what in [
            Annotation::Tag("paper".into()),
            Annotation::Note("the figure\nof section 3".into()),
            Annotation::Untag("first".into()),
        ] {
            store.annotate(&record, what).unwrap();
        }
        let read = store.annotations(&record).unwrap();
        assert_eq!(read.tags_of(&record), BTreeSet::from(["paper".to_owned()]));
        assert_eq!(read.notes().map(|(_, note)| note).collect::<Vec<_>>(), ["the figure\nof section 3"]);
        assert_eq!(store.runs("sweep").unwrap().records, [record]);
    }

    #[test]
    fn a_line_that_was_cut_off_costs_nothing_but_itself() {
        let (_folder, store, record) = written();
        let path = store.annotations_path(&record);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "\n{\"at\":\"2026\",\"ta").unwrap();
        store.annotate(&record, Annotation::Tag("kept".into())).unwrap();
        assert!(store.annotations(&record).unwrap().tags_of(&record).contains("kept"));
    }

    #[test]
    fn an_empty_text_is_refused() {
        let (_folder, store, record) = written();
        let said = store.annotate(&record, Annotation::Tag("  ".into())).unwrap_err().to_string();
        assert_eq!(said, "`Annotation`: the text is empty");
    }
}
