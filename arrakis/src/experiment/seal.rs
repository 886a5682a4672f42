//! How a record is sealed, and how older or newer code reads it.
//!
//! The digest covers the JSON in the file, not the structs of this code. A field that was added or removed since then
//! does not invalidate it, and fields that this code does not know are kept.

use serde_json::Value;

use super::format::FORMAT;
use super::{Record, json as lossless};

/// Records without a format number are of the first format.
pub(super) fn first_format() -> u32 {
    1
}

/// The reason why a file among the records cannot be read as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A later format.
    #[error("it has format {format}, newer than this program's format {FORMAT}; update Arrakis to read it")]
    NewerFormat {
        /// The format in the file.
        format: u64,
    },
    /// An intact record with a value that this code does not know.
    #[error("it is intact, but this program does not know a value in it ({problem}); update Arrakis to read it")]
    NewerContents {
        /// The value, as serde names it.
        problem: String,
    },
    /// The digest differs.
    #[error("it was changed after it was written; restore the file, or move it away")]
    Changed,
    /// The file of a large array is missing, or its digest differs.
    #[error("{problem}")]
    Array {
        /// Names the file.
        problem: String,
    },
    /// Any other problem: not JSON, not a record, not readable.
    #[error("it is not a record ({problem}); restore the file, or move it away")]
    NotARecord {
        /// What is wrong.
        problem: String,
    },
}

impl Problem {
    pub(super) fn not_a_record(problem: &impl ToString) -> Self {
        Self::NotARecord { problem: problem.to_string() }
    }
}

impl Record {
    /// Reads a record from the JSON of a file, which older or newer code may have written.
    ///
    /// # Errors
    ///
    /// A [`Problem`] if it has a newer format, was changed, or is not a record.
    pub fn from_json(json: &Value) -> Result<Self, Problem> {
        if let Some(format) = json["format"].as_u64().filter(|format| *format > u64::from(FORMAT)) {
            return Err(Problem::NewerFormat { format });
        }
        let intact = json["digest"].as_str().is_some_and(|digest| digest == digest_of(json));
        match (lossless::from_value::<Self>(json), intact) {
            (Ok(record), true) => Ok(record.keeping(json)),
            (Ok(_), false) => Err(Problem::Changed),
            (Err(error), true) => Err(Problem::NewerContents { problem: error.to_string() }),
            (Err(error), false) => Err(Problem::not_a_record(&error)),
        }
    }

    /// Whether the record is unchanged since it was written.
    pub fn is_intact(&self) -> bool {
        self.digest == digest_of(&self.to_json())
    }

    /// Checks the record and the files of its large arrays against their digests.
    ///
    /// # Errors
    ///
    /// [`Problem::Changed`], [`Problem::Array`].
    pub fn verify(&self) -> Result<(), Problem> {
        if !self.is_intact() {
            return Err(Problem::Changed);
        }
        self.blobs.check(&self.to_json()).map_err(|problem| Problem::Array { problem })
    }

    /// The record as strict JSON: the JSON it was read from, with later changes.
    pub fn to_json(&self) -> Value {
        let now = self.known();
        let Some(written) = &self.written else { return now };
        let then = lossless::from_value::<Self>(written).expect("BUG: it was read from this").known();
        merged(Some(written), Some(&then), Some(&now)).expect("BUG: a record is there")
    }

    /// The record with its digest, as it is written.
    pub(crate) fn sealed(mut self) -> Self {
        self.digest = digest_of(&self.to_json());
        self
    }

    /// Keeps the JSON it was read from, if this code would write it differently.
    fn keeping(mut self, json: &Value) -> Self {
        self.written = (self.known() != *json).then(|| Box::new(json.clone()));
        self
    }

    /// The fields this code knows.
    fn known(&self) -> Value {
        lossless::to_value(self).expect("BUG: every part of a record serialises")
    }
}

/// SHA-256 of a record's JSON without its digest, in hex.
fn digest_of(json: &Value) -> String {
    let mut contents = json.clone();
    if let Value::Object(fields) = &mut contents {
        fields.remove("digest");
    }
    lossless::digest(&lossless::canonical(&contents))
}

/// The JSON as written, except where this code's view of it changed from `then` to `now`.
fn merged(written: Option<&Value>, then: Option<&Value>, now: Option<&Value>) -> Option<Value> {
    match (written, then, now) {
        (written, then, now) if then == now => written.cloned(),
        (Some(Value::Object(written)), Some(Value::Object(then)), Some(Value::Object(now))) => {
            let keys = written.keys().chain(now.keys().filter(|key| !written.contains_key(*key)));
            let part = |key: &String| merged(written.get(key), then.get(key), now.get(key));
            Some(keys.filter_map(|key| Some((key.clone(), part(key)?))).collect())
        }
        (_, _, now) => now.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Outcome;
    use super::super::record::tests::record;
    use super::*;

    /// The JSON of a record as other code would have written it.
    fn by_other_code(change: impl FnOnce(&mut Value)) -> Value {
        let mut json = record(0).sealed().to_json();
        change(&mut json);
        json["digest"] = digest_of(&json).into();
        json
    }

    #[test]
    fn a_record_of_older_or_newer_code_is_intact() {
        for other in [
            by_other_code(|json| json["cost_in_cents"] = 3.into()),
            by_other_code(|json| json["model"]["quantised"] = json!({"bits": [4, 8]})),
            by_other_code(|json| drop(json.as_object_mut().unwrap().remove("format"))),
            by_other_code(|json| drop(json.as_object_mut().unwrap().remove("profile"))),
        ] {
            let read = Record::from_json(&other).unwrap();
            assert!(read.is_intact());
            assert_eq!(read.to_json().to_string(), other.to_string());
        }
    }

    #[test]
    fn unknown_fields_stay_when_a_known_one_changes() {
        let other = by_other_code(|json| json["model"]["quantised"] = true.into());
        let mut read = Record::from_json(&other).unwrap();
        read.model.name = "renamed".into();
        read.outcome = Outcome::Error("no".into());
        assert!(!read.is_intact());
        let json = read.sealed().to_json();
        assert_eq!((&json["model"]["quantised"], &json["model"]["name"]), (&true.into(), &"renamed".into()));
        assert_eq!(json["outcome"], json!({"error": "no"}));
        assert!(Record::from_json(&json).unwrap().is_intact());
    }

    #[test]
    fn a_record_of_this_code_is_read_as_it_was() {
        let record = record(0).sealed();
        assert_eq!(Record::from_json(&record.to_json()).unwrap(), record);
    }

    #[test]
    fn a_newer_record_is_not_called_damaged() {
        let problem = |json: Value| Record::from_json(&json).unwrap_err().to_string();
        assert_eq!(
            problem(by_other_code(|json| json["format"] = 2.into())),
            "it has format 2, newer than this program's format 1; update Arrakis to read it"
        );
        assert_eq!(
            problem(by_other_code(|json| json["outcome"] = json!({"skipped": "cached"}))),
            "it is intact, but this program does not know a value in it \
             (unknown variant `skipped`, expected one of `ok`, `error`, `panic`); update Arrakis to read it"
        );
    }

    #[test]
    fn changed_records_and_files_that_are_not_records_are_told_apart() {
        let mut changed = record(0).sealed().to_json();
        changed["seed"] = 1.into();
        assert_eq!(Record::from_json(&changed), Err(Problem::Changed));
        assert_eq!(
            Record::from_json(&json!("no")).unwrap_err().to_string(),
            "it is not a record (invalid type: string \"no\", expected struct Record); restore the file, or move it away"
        );
        assert!(matches!(Record::from_json(&json!({"id": "x"})), Err(Problem::NotARecord { .. })));
    }
}
