//! Records of all experiments by what they hold.

use std::fmt;

use super::super::{Outcome, Record, Unreadable};
use super::Condition;

/// How a run ended, and what became of its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned, and makes no claim.
    Ok,
    /// Its claim holds.
    Holds,
    /// Its claim does not hold.
    Fails,
    /// It returned an error.
    Error,
    /// It panicked.
    Panic,
}

impl Status {
    /// The status of a run.
    pub fn of(record: &Record) -> Self {
        match (&record.outcome, &record.verdict) {
            (Outcome::Panic(_), _) => Self::Panic,
            (Outcome::Error(_), _) => Self::Error,
            (Outcome::Ok(_), Some(verdict)) if verdict.holds => Self::Holds,
            (Outcome::Ok(_), Some(_)) => Self::Fails,
            (Outcome::Ok(_), None) => Self::Ok,
        }
    }

    /// The status that a word names.
    pub(in crate::experiment) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Ok, Self::Holds, Self::Fails, Self::Error, Self::Panic];
        all.into_iter().find(|status| status.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Error => "error",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What is asked of a store. The default is every record, newest first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub(super) name: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) failed: bool,
    pub(super) sort: Option<String>,
    pub(super) limit: Option<usize>,
}

/// The records that were asked for, and the files that could not be read.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The records, in the order asked for.
    pub records: Vec<Record>,
    /// Files among the records that cannot be read as one.
    pub unreadable: Vec<Unreadable>,
    /// The number of records that met the query, before the limit.
    pub matched: usize,
}

impl Query {
    /// Every record, newest first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records of an experiment, as [`Store::runs`](crate::experiment::Store::runs) takes its name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Only records with this tag, given by the attribute or later.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Only records that meet this condition, besides the others.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Only runs that returned an error, panicked, or made a claim that does not hold.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { failed: true, ..self }
    }

    /// Largest first by a value of the record, named as in [`Names`](crate::experiment::Names). Records without it come last.
    #[must_use]
    pub fn sorted_by(self, name: impl Into<String>) -> Self {
        Self { sort: Some(name.into()), ..self }
    }

    /// At most so many records.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }
}
