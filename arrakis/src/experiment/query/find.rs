//! One record by its id, as people write it.

use std::path::PathBuf;

use super::super::{Record, Store, Version};
use crate::error::{Error, Result};

/// Digits that are enough to mean one record.
const FEWEST: usize = 4;

impl Store {
    /// The record that an id, its beginning or its last eight digits name. A whole version means its latest run.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] if no record or several have it, and [`Error::BadRecord`] if its file cannot be read.
    pub fn find(&self, asked: &str) -> Result<Record> {
        if asked.len() < FEWEST {
            return Err(refuse(format!("`{asked}` is too short for an id; give at least {FEWEST} of its digits")));
        }
        let mut found = Vec::new();
        for name in self.names()? {
            let paths = self.files(&name)?;
            let ids = paths.into_iter().filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)));
            found.extend(ids.filter(|(id, _)| answers(id, asked)));
        }
        let versions = found.iter().all(|(id, _)| id.split('-').next() == Some(asked));
        if versions {
            // Ids of a version sort by time.
            found.sort();
            found = found.pop().into_iter().collect();
        }
        match found.as_slice() {
            [(_, path)] => Self::read(path)
                .map_err(|problem| Error::BadRecord { path: path.clone(), problem: problem.to_string() }),
            [] if asked.parse::<Version>().is_ok() => self.latest_of(asked),
            [] => Err(self.no_record(asked)),
            several => Err(refuse(format!("{} records have the id `{asked}`: {}", several.len(), listed(several)))),
        }
    }

    /// The latest run of a version that no id begins with, because the run used helpers.
    fn latest_of(&self, version: &str) -> Result<Record> {
        let mut found: Option<(String, PathBuf)> = None;
        for name in self.names()? {
            let index = self.index(&name)?;
            let latest = index.heads().into_iter().rfind(|head| head.version == version);
            let latest = latest.map(|head| (head.started.to_owned(), self.path_of(&name, head.stem)));
            found = found.max(latest);
        }
        let (_, path) = found.ok_or_else(|| self.no_record(version))?;
        Self::read(&path).map_err(|problem| Error::BadRecord { path, problem: problem.to_string() })
    }

    fn no_record(&self, asked: &str) -> Error {
        refuse(format!("no record in `{}` has the id `{asked}`", self.folder().display()))
    }
}

fn answers(id: &str, asked: &str) -> bool {
    id.starts_with(asked) || id.rsplit('-').next().is_some_and(|last| last.starts_with(asked))
}

fn listed<T>(several: &[(String, T)]) -> String {
    let mut ids: Vec<&str> = several.iter().take(5).map(|(id, _)| id.as_str()).collect();
    if several.len() > ids.len() {
        ids.push("..");
    }
    ids.join(", ")
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Store::find", problem }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::*;

    #[test]
    fn an_id_its_beginning_its_end_and_a_version_name_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let [first, again, other] = [0, 0, 1].map(|layer| record(layer).sealed());
        for record in [&first, &again, &other] {
            store.write(record).unwrap();
        }
        assert_eq!(store.find(&first.id).unwrap(), first);
        assert_eq!(store.find(&first.id[first.id.len() - 8..]).unwrap(), first);
        assert_eq!(store.find(&other.id[..20]).unwrap(), other);
        assert_eq!(store.find(first.version.as_ref()).unwrap(), again, "the latest run of a version");
        let said = |asked: &str| store.find(asked).unwrap_err().to_string();
        assert!(
            said(&first.id[..17]).starts_with("`Store::find`: 2 records have the id `"),
            "{}",
            said(&first.id[..17])
        );
        assert_eq!(said("abc"), "`Store::find`: `abc` is too short for an id; give at least 4 of its digits");
        let none = format!("`Store::find`: no record in `{}` has the id `zzzz`", folder.path().display());
        assert_eq!(said("zzzz"), none);
    }
}
