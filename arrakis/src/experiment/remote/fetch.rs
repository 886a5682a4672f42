//! What is brought from the place behind the folder: records that are not here yet, and what belongs to them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Mutex;

use arrakis_models::files;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::super::belongings::{REGISTRATIONS, belongings, has_extension, is_inside};
use super::super::upkeep::annotations;
use super::super::{Record, Store, file_name};
use super::{Brought, Far};
use crate::error::{Error, Result};

/// What an object of the listing is.
enum Kind {
    Record,
    Annotations,
    Registration,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        let parts: Vec<&str> = name.split('/').collect();
        match parts.as_slice() {
            [folder, ..] if folder.starts_with('.') => Self::Other,
            [.., file] if file.starts_with('.') => Self::Other,
            [_, file] if has_extension(file, "json") => Self::Record,
            [_, annotations::FOLDER, file] if has_extension(file, "jsonl") => Self::Annotations,
            [_, REGISTRATIONS, file] if has_extension(file, "json") => Self::Registration,
            _ => Self::Other,
        }
    }
}

impl Store {
    /// Brings the records of others, with their tags and notes, from the place behind the folder. Without one there is nothing to bring. The
    /// questions of a bench do it for the experiment that they are about; those of a store answer from its folder.
    ///
    /// # Errors
    ///
    /// [`Error::Remote`] if it cannot be read, [`Error::Write`] if the folder cannot be written.
    pub fn refresh(&self) -> Result<Brought> {
        self.fetch("")
    }

    /// Brings the records of one experiment, by its name or its function's path.
    pub(crate) fn refresh_runs(&self, asked: &str) -> Result<Brought> {
        self.fetch(&format!("{}/", file_name(asked.rsplit("::").next().unwrap_or(asked))))
    }

    /// Brings the claims of an experiment that others have registered.
    pub(in crate::experiment) fn refresh_registrations(&self, name: &str) -> Result<Brought> {
        self.fetch(&format!("{}/{REGISTRATIONS}/", file_name(name)))
    }

    fn fetch(&self, begins: &str) -> Result<Brought> {
        let Some(far) = &self.far else { return Ok(Brought::default()) };
        let listed = far.remote.list(begins).map_err(|source| far.unread(&source))?;
        let brought = Mutex::new(Brought::default());
        listed.par_iter().filter(|(name, _)| is_inside(name)).try_for_each(|(name, size)| {
            let came = self.fetch_object(far, name, *size)?;
            let mut brought = brought.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match came {
                Came::Record => brought.records += 1,
                Came::Differs => brought.differ.push(self.folder().join(name)),
                Came::Nothing => {}
            }
            Ok::<(), Error>(())
        })?;
        let mut brought = brought.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        brought.differ.sort();
        Ok(brought)
    }

    fn fetch_object(&self, far: &Far, name: &str, size: u64) -> Result<Came> {
        let path = self.folder().join(name);
        let here = fs::metadata(&path).ok().map(|facts| facts.len());
        match (Kind::of(name), here) {
            (Kind::Record, None) => self.fetch_record(far, name, &path),
            (Kind::Record, Some(here)) if here != size => Ok(Came::Differs),
            // Files of one size may have other lines.
            (Kind::Annotations, _) => {
                let theirs = far.get(name)?.unwrap_or_default();
                annotations::add_lines(&path, &String::from_utf8_lossy(&theirs)).map(|()| Came::Nothing)
            }
            (Kind::Registration, None) => far.bring(name, &path).map(|()| Came::Nothing),
            _ => Ok(Came::Nothing),
        }
    }

    /// What belongs to the record comes before it. What is no record is brought all the same: readers say what it is.
    fn fetch_record(&self, far: &Far, name: &str, path: &Path) -> Result<Came> {
        let Some(bytes) = far.get(name)? else { return Ok(Came::Nothing) };
        let json = serde_json::from_slice(&bytes).ok();
        if let Some(record) = json.and_then(|json| Record::from_json(&json).ok()) {
            for file in belongings(&record) {
                let path = self.folder().join(&file.name);
                if !path.exists() {
                    far.bring(&file.name, &path)?;
                }
            }
        }
        write(path, &bytes).map(|()| Came::Record)
    }
}

/// What became of an object.
enum Came {
    Record,
    Differs,
    Nothing,
}

impl Far {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.remote
            .get(name)
            .map_err(|source| self.unread(&io::Error::new(source.kind(), format!("`{name}`: {source}"))))
    }

    /// Brings a file, if it is there.
    fn bring(&self, name: &str, path: &Path) -> Result<()> {
        self.get(name)?.map_or(Ok(()), |bytes| write(path, &bytes))
    }
}

/// Writes a file that is not here yet.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = fs::create_dir_all(path.parent().unwrap_or(path)).and_then(|()| files::write_new(path, bytes));
    match written {
        // Another process brought it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        written => written.map_err(|source| Error::Write { path: path.to_owned(), source }),
    }
}
