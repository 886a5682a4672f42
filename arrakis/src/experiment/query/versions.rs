//! The versions of an experiment, from its index.

use super::super::store::without_version;
use super::super::{Record, Store, Unreadable, Version};
use crate::error::{Error, Result};

impl Store {
    /// The distinct versions of an experiment, by their first run, and the files that cannot be read. The name is as for
    /// [`Store::runs`].
    ///
    /// # Errors
    ///
    /// Those of [`Store::runs`].
    pub fn versions(&self, asked: &str) -> Result<(Vec<Version>, Vec<Unreadable>)> {
        let (summary, unreadable) = self.summary(asked.rsplit("::").next().unwrap_or(asked))?;
        let mut meant: Vec<(usize, &str, &str)> = summary.functions().collect();
        self.keep_meant(asked, &mut meant, &unreadable, |(_, function, name)| ((*function).into(), (*name).into()))?;
        Ok((summary.versions(|place| meant.iter().any(|(meant, ..)| *meant == place)).collect(), unreadable))
    }

    /// The runs of a version of an experiment, oldest first, and the files that cannot be read.
    ///
    /// # Errors
    ///
    /// Those of [`Store::runs`], [`Error::UnknownVersion`] naming the nearest, and [`Error::BadRecord`] if a file of the version
    /// cannot be read.
    pub fn runs_of(&self, asked: &str, version: &str) -> Result<(Vec<Record>, Vec<Unreadable>)> {
        let name = asked.rsplit("::").next().unwrap_or(asked);
        let index = self.index(name)?;
        let mut heads = index.heads();
        self.keep_meant(asked, &mut heads, &index.unreadable, |head| (head.function(), head.name()))?;
        let of_version: Vec<_> = heads.iter().filter(|head| head.version == version).collect();
        if of_version.is_empty() {
            let versions: Vec<String> = heads.iter().map(|head| head.version.to_owned()).collect();
            return Err(without_version(asked, version, &versions, index.unreadable));
        }
        let read = |stem: &str| {
            let path = self.path_of(name, stem);
            Self::read(&path).map_err(|problem| Error::BadRecord { path, problem: problem.to_string() })
        };
        let records = of_version.into_iter().map(|head| read(head.stem)).collect::<Result<_>>()?;
        Ok((records, index.unreadable))
    }
}
