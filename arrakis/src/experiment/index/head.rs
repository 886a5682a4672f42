//! What an index knows of a record: a head for lists, and values for conditions.

use std::borrow::Cow;

use super::super::freshness::code_of;
use super::super::query::Names;
use super::super::{Record, Status};
use super::line;

/// The head of a record. Fields with escapes are read when they are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The name of the file, without its end.
    pub(crate) stem: &'a str,
    pub(crate) version: &'a str,
    pub(crate) started: &'a str,
    pub(crate) status: Status,
    /// What its freshness depends on: equal for records that are as fresh as each other.
    pub(crate) code: &'a str,
    id: &'a str,
    name: &'a str,
    function: &'a str,
}

impl<'a> Head<'a> {
    /// Reads a line; `None` if it is not one.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut fields = line::whole(text)?.split('\t');
        let mut next = || fields.next();
        let [stem, id, version, started, status, name, function, code] =
            [next()?, next()?, next()?, next()?, next()?, next()?, next()?, next()?];
        let status = Status::of_word(status)?;
        Some(Self { stem, version, started, status, code, id: if id.is_empty() { stem } else { id }, name, function })
    }

    pub(super) fn written(stem: &str, record: &Record) -> String {
        let id = if record.id == stem { "" } else { &record.id };
        let status = Status::of(record).to_string();
        let version = record.version.as_ref();
        let code = code_of(record);
        line::written([stem, id, version, &record.started, &status, &record.name, &record.function, &code])
    }

    pub(crate) fn id(&self) -> Cow<'a, str> {
        line::plain(self.id)
    }

    pub(crate) fn name(&self) -> Cow<'a, str> {
        line::plain(self.name)
    }

    pub(crate) fn function(&self) -> Cow<'a, str> {
        line::plain(self.function)
    }
}

/// The line of a record's values.
pub(super) fn values(stem: &str, record: &Record) -> String {
    let names = Names::of(record);
    let pairs: Vec<(&str, String)> = names.iter().map(|(name, value)| (name, value.to_string())).collect();
    line::written(std::iter::once(stem).chain(pairs.iter().flat_map(|(name, value)| [*name, value.as_str()])))
}

/// The record that a line has the values of, and the rest of the line.
pub(super) fn of_values(text: &str) -> Option<(&str, &str)> {
    let fields = line::whole(text)?;
    Some(fields.split_once('\t').unwrap_or((fields, "")))
}

/// Every name and value in a line, or those that are wanted.
pub(crate) fn names(fields: &str, wanted: impl Fn(&str) -> bool) -> Names {
    let mut fields = fields.split('\t');
    let mut found = Vec::new();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let name = line::plain(name);
        if wanted(&name)
            && let Ok(value) = serde_json::from_str(&line::plain(value))
        {
            found.push((name.into_owned(), value));
        }
    }
    Names::from_pairs(found)
}
