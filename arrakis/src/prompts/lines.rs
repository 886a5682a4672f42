//! Sets of a user's own, from files of JSON lines.

use std::path::Path;

use arrakis_models::files;

use super::{KnownPrompt, PromptSet};
use crate::error::{Error, Result};

impl PromptSet {
    /// Reads a set from a file with one JSON object a line: `clean`, `corrupted`, `answer`, `wrong`, and if you like
    /// `template` and `held_out`. Empty lines are left out. The set is named after the file.
    ///
    /// ```text
    /// {"clean": "The sky is", "corrupted": "The grass is", "answer": " blue", "wrong": " green", "template": "colours"}
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Read`] for a file that cannot be read; [`Error::Value`] with the line for one that is no such object, and
    /// for a file without prompts.
    pub fn from_json_lines(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        files::note(path);
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::parse(&name, &text)
            .map_err(|problem| Error::Value { of: "PromptSet", problem: format!("`{}`: {problem}", path.display()) })
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(at, line): (usize, &str)| {
            serde_json::from_str::<KnownPrompt>(line).map_err(|error| {
                let (line, column) = (at + 1, error.column());
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                format!(
                    "line {line}, column {column}: {message}; a line has `clean`, `corrupted`, `answer` and `wrong`"
                )
            })
        };
        let prompts = lines.map(read).collect::<Result<Vec<_>, _>>()?;
        if prompts.is_empty() {
            return Err("it has no prompts; write one JSON object a line".into());
        }
        Ok(Self { name: name.to_owned(), prompts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"clean": "The sky is", "corrupted": "The grass is", "answer": " blue", "wrong": " green", "template": "colours"}"#;

    #[test]
    fn a_file_is_read_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("colours.jsonl");
        let held_out = LINE.replace("\"template\"", "\"held_out\": true, \"template\"");
        std::fs::write(&path, format!("{LINE}\n\n{held_out}\n")).unwrap();
        let set = PromptSet::from_json_lines(&path).unwrap();
        assert_eq!((set.name.as_str(), set.prompts.len(), set.templates()), ("colours", 2, vec!["colours"]));
        assert_eq!((set.train().prompts[0].answer.as_str(), set.held_out().prompts.len()), (" blue", 1));
        std::fs::write(&path, "").unwrap();
        let error = PromptSet::from_json_lines(&path).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("`PromptSet`: `{}`: it has no prompts; write one JSON object a line", path.display())
        );
        assert!(matches!(PromptSet::from_json_lines("/no/such/file").unwrap_err(), Error::Read { .. }));
    }

    #[test]
    fn a_bad_line_is_named() {
        let misspelt = LINE.replace("corrupted", "corupted");
        assert_eq!(
            PromptSet::parse("a", &format!("{LINE}\n{misspelt}")).unwrap_err(),
            "line 2, column 34: unknown field `corupted`, expected one of `clean`, `corrupted`, `answer`, `wrong`, \
             `template`, `held_out`; a line has `clean`, `corrupted`, `answer` and `wrong`"
        );
        assert!(PromptSet::parse("a", "{\"clean\": \"x\"}").unwrap_err().contains("missing field `corrupted`"));
    }
}
