//! The log of one run of a shard: JSON lines, added while it goes on.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ground::error::{Error, Result};

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The run started.
    Started {
        /// The program and its arguments.
        command: Vec<String>,
        /// The folder in which it was started.
        folder: PathBuf,
    },
    /// The program came to a step that is cut.
    Begun {
        /// The step's id.
        step: String,
        /// The step in words.
        what: String,
        /// SHA-256 of the program.
        program: String,
    },
    /// The shard's part of a step is in its file.
    Kept {
        /// The step's id.
        step: String,
        /// SHA-256 of the file.
        digest: String,
    },
    /// A merged run came to a step that no shard ran.
    Wanted {
        /// The step in words.
        what: String,
    },
    /// The program ended by itself, and every step that it began was kept.
    Ended {
        /// Its exit status.
        status: i32,
    },
}

/// Adds a line by one write, and waits until it is on the disk.
///
/// # Errors
///
/// [`Error::Write`] naming the file.
pub fn add_line(log: &Path, line: &Line) -> Result<()> {
    let text = serde_json::to_string(line).expect("BUG: a line is plain data");
    let add = || {
        let mut file = OpenOptions::new().create(true).append(true).open(log)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()
    };
    add().map_err(|source| Error::Write { path: log.to_owned(), source })
}

/// The lines of a log. A line that a crash cut off is left out.
///
/// # Errors
///
/// [`Error::Read`] naming the file.
pub fn read_log(log: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(log).map_err(|source| Error::Read { path: log.to_owned(), source })?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_a_cut_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("run.jsonl");
        let lines = [
            Line::Started { command: vec!["a b".into()], folder: "/x".into() },
            Line::Kept { step: "1".into(), digest: "2".into() },
            Line::Ended { status: 101 },
        ];
        for line in &lines {
            add_line(&log, line).unwrap();
        }
        let mut text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(read_log(&log).unwrap(), lines);
        text.truncate(text.len() - 5);
        std::fs::write(&log, text).unwrap();
        assert_eq!(read_log(&log).unwrap(), lines[..2]);
        let said = read_log(&folder.path().join("none")).unwrap_err().to_string();
        assert!(said.starts_with("cannot read `") && said.contains("none"), "{said}");
    }
}
