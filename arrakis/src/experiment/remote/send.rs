//! What is sent: a record after what belongs to it, and what was added to it since.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::belongings::{belongings, has_extension};
use super::super::store::entries;
use super::super::upkeep::annotations;
use super::super::{Record, Store, file_name};
use super::{Brought, Far};
use crate::error::{Error, Result};

/// The folder with a file for each record that is not known to be there, under the names of their experiments.
const WAITING: &str = ".waiting";

/// A name without a record that is older than this is of a process that was stopped.
const YOUNG: Duration = Duration::from_hours(1);

/// How often an object may change while lines are added to it.
const TRIES: usize = 100;

impl Store {
    /// Notes that a record is not there yet, before it is written.
    pub(in crate::experiment) fn mark(&self, record: &Record) -> io::Result<()> {
        if self.far.is_none() {
            return Ok(());
        }
        let path = self.mark_of(record);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::File::create(path)?.sync_all()
    }

    fn mark_of(&self, record: &Record) -> PathBuf {
        self.folder().join(WAITING).join(file_name(&record.name)).join(&record.id)
    }

    /// Sends a record with everything that belongs to it, if there is a place behind the folder. `what` is sent, for messages.
    pub(in crate::experiment) fn send(&self, record: &Record, what: &str) -> Result<()> {
        let Some(far) = &self.far else { return Ok(()) };
        let kept = self.path_of(&record.name, &record.id);
        let Err((name, source)) = self.send_all(far, record) else {
            // It may be gone: another process sent the record too.
            drop(fs::remove_file(self.mark_of(record)));
            return Ok(());
        };
        if source.kind() == ErrorKind::AlreadyExists {
            let problem = format!(
                "it has another `{name}`, and neither was changed; {what} of run `{}` is kept in `{}`",
                record.id,
                self.folder().display()
            );
            return Err(far.refuse(problem));
        }
        // Another process may have sent an earlier state of it.
        self.mark(record).map_err(|source| Error::Write { path: self.mark_of(record), source })?;
        let (what, remote) = (format!("{what} of run `{}`", record.id), far.remote.to_string());
        Err(Error::NotSent { what, remote, kept, source })
    }

    /// Sends the records that are waiting in the folder because the place behind it could not be reached, or a process was stopped.
    /// [`Bench::remote`](crate::Bench::remote) does it first.
    ///
    /// # Errors
    ///
    /// [`Error::NotSent`] for the first that still cannot be sent, [`Error::Read`] if the folder cannot be read.
    pub fn send_waiting(&self) -> Result<Brought> {
        let mut brought = Brought::default();
        for mark in self.waiting()? {
            let (Some(id), Some(name)) = (file_of(&mark), mark.parent().and_then(file_of)) else { continue };
            match Self::read(&self.path_of(&name, &id)) {
                Ok(record) => match self.send(&record, "the record") {
                    Ok(()) => brought.records += 1,
                    Err(Error::Remote { .. }) => brought.differ.push(self.path_of(&name, &id)),
                    Err(error) => return Err(error),
                },
                Err(_) if is_young(&mark) || self.path_of(&name, &id).exists() => {}
                Err(_) => drop(fs::remove_file(mark)),
            }
        }
        Ok(brought)
    }

    /// The files of [`WAITING`], sorted.
    fn waiting(&self) -> Result<Vec<PathBuf>> {
        let mut marks = Vec::new();
        for folder in entries(&self.folder().join(WAITING))?.into_iter().filter(|path| path.is_dir()) {
            marks.extend(entries(&folder)?);
        }
        Ok(marks)
    }

    /// On failure with the name of the object.
    fn send_all(&self, far: &Far, record: &Record) -> Result<(), (String, io::Error)> {
        let folder = file_name(&record.name);
        for file in belongings(record) {
            far.send_file(
                &self.folder().join(&file.name),
                &file.name,
                file.first_stays(),
                file.is_named_by_its_contents(),
            )
            .map_err(|error| (file.name, error))?;
        }
        let path = self.path_of(&record.name, &record.id);
        let name = format!("{folder}/{}.json", record.id);
        far.send_file(&path, &name, false, false).map_err(|error| (name, error))?;
        let name = format!("{folder}/{}", annotations::name_of(&record.id));
        far.add_lines(&self.folder().join(&name), &name).map_err(|error| (name, error))
    }

    /// Sends the registrations of an experiment, each unless another is there: the first one counts.
    pub(in crate::experiment) fn send_registrations(&self, names: &[String]) -> Result<()> {
        let Some(far) = &self.far else { return Ok(()) };
        names.iter().try_for_each(|name| {
            let kept = self.folder().join(name);
            far.send_file(&kept, name, true, false).map_err(|source| Error::NotSent {
                what: "the registration of the claim".into(),
                remote: far.remote.to_string(),
                kept,
                source,
            })
        })
    }
}

impl Far {
    /// Sends a file if it is here and not there. [`ErrorKind::AlreadyExists`] if another is there that should be equal.
    fn send_file(&self, path: &Path, name: &str, first_stays: bool, remember: bool) -> io::Result<()> {
        if remember && self.knows(name) {
            return Ok(());
        }
        let own = match fs::read(path) {
            Ok(own) => own,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if !self.remote.put_new(name, &own)? && !first_stays && !self.has(name, &own)? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if remember {
            self.learn(name);
        }
        Ok(())
    }

    /// Whether these bytes are there, or are put there because the file has grown.
    fn has(&self, name: &str, own: &[u8]) -> io::Result<bool> {
        let there = self.remote.get(name)?.unwrap_or_default();
        let grew = has_extension(name, "jsonl") && own.starts_with(&there);
        Ok(own == there || grew && self.remote.replace(name, &there, own)?)
    }

    /// Adds the lines of annotations that are not there.
    fn add_lines(&self, path: &Path, name: &str) -> io::Result<()> {
        let Ok(own) = fs::read_to_string(path) else { return Ok(()) };
        for _ in 0..TRIES {
            let Some(there) = self.remote.get(name)? else {
                if self.remote.put_new(name, own.as_bytes())? {
                    return Ok(());
                }
                continue;
            };
            let new = annotations::new_lines(&String::from_utf8_lossy(&there), &own);
            if new.is_empty() || self.remote.replace(name, &there, &[&there, new.as_bytes()].concat())? {
                return Ok(());
            }
        }
        Err(io::Error::other("others change it all the time"))
    }
}

fn file_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

fn is_young(path: &Path) -> bool {
    let changed = path.metadata().and_then(|facts| facts.modified());
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < YOUNG))
}
