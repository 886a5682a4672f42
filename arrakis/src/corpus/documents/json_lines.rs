//! JSON lines: an object a line, one field of which is a document.

use std::path::Path;

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use serde_json::{Map, Value};

use super::document::{Content, Documents};
use super::lines::Lines;
use crate::error::Result;

pub(super) struct JsonLines {
    lines: Lines,
    field: String,
}

impl JsonLines {
    pub(super) fn open(path: &Path, field: &str) -> Result<Self> {
        Ok(Self { lines: Lines::open(path)?, field: field.to_owned() })
    }

    fn text(&self, line: &str) -> Result<String> {
        if line.trim().is_empty() {
            return Ok(String::new());
        }
        let wrong = |problem: String| self.lines.wrong(problem);
        let object: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| wrong(format!("it is not a JSON object ({error}); JSON lines have one object a line")))?;
        match object.get(&self.field) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Null) => Ok(String::new()),
            Some(other) => Err(wrong(format!("its field `{}` is {}, not text", self.field, kind(other)))),
            None => {
                let known: Vec<&String> = object.keys().collect();
                let near = did_you_mean(nearest(&self.field, &known).as_deref(), "; it has no fields");
                Err(wrong(format!("it has no field `{}`{near}", self.field)))
            }
        }
    }
}

impl Documents for JsonLines {
    fn next(&mut self) -> Result<Option<Content>> {
        let line = self.lines.next_line()?;
        line.map(|line| self.text(&line).map(Content::Text)).transpose()
    }

    fn done(&self) -> u64 {
        self.lines.bytes()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;
    use crate::corpus::Corpus;

    fn read(text: &str, field: &str) -> Result<Vec<Content>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, text).unwrap();
        let found = all(&Corpus::json_lines([&path]).column(field));
        found.map_err(|error| error.to_string().replace(&path.display().to_string(), "a.jsonl"))
    }

    #[test]
    fn the_field_is_read_and_null_is_blank() {
        let lines = "{\"text\": \"a\\nb\", \"id\": 1}\n\n{\"text\": null}\n";
        let texts = ["a\nb", "", ""].map(|text| Content::Text(text.into()));
        assert_eq!(read(lines, "text").unwrap(), texts);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let said = |text: &str, field: &str| read(text, field).unwrap_err();
        assert_eq!(
            said("{\"text\": \"a\"}\n{\"text\": 7}", "text"),
            "cannot read the corpus `a.jsonl`, line 2: its field `text` is a number, not text"
        );
        assert_eq!(
            said("{\"text\": \"a\", \"id\": 1}", "txt"),
            "cannot read the corpus `a.jsonl`, line 1: it has no field `txt`; did you mean `text`?"
        );
        assert_eq!(
            said("{\"text\": \"a\"}\nplain", "text"),
            "cannot read the corpus `a.jsonl`, line 2: it is not a JSON object (expected value at line 1 column 1); \
             JSON lines have one object a line"
        );
    }
}
