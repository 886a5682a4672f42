//! A place behind the folder of a store, and what is known of it.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// A place for records behind the folder of a [`Bench`](crate::Bench): an object store, or anything that has objects with names.
///
/// Names have `/` between their parts. Each method is one request; what can be tried again, it tries again itself. `Display` is its
/// address in messages. `examples/object-store` implements it for S3.
///
/// ```
/// # use std::{collections::BTreeMap, fmt, io, sync::{Arc, Mutex}};
/// # use arrakis::prelude::*;
/// use arrakis::experiment::Remote;
///
/// #[derive(Clone, Debug, Default)]
/// struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);
///
/// impl fmt::Display for Memory {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("the memory")
///     }
/// }
///
/// impl Remote for Memory {
///     fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
///         let mut objects = self.0.lock().expect("no panic");
///         let is_new = !objects.contains_key(name);
///         objects.entry(name.into()).or_insert_with(|| bytes.into());
///         Ok(is_new)
///     }
///
///     fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> io::Result<bool> {
///         let mut objects = self.0.lock().expect("no panic");
///         let object = objects.get_mut(name).filter(|object| *object == old);
///         Ok(object.map(|object| *object = new.into()).is_some())
///     }
///
///     fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
///         Ok(self.0.lock().expect("no panic").get(name).cloned())
///     }
///
///     fn list(&self, begins: &str) -> io::Result<Vec<(String, u64)>> {
///         let objects = self.0.lock().expect("no panic");
///         let sized = objects.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64));
///         Ok(sized.filter(|(name, _)| name.starts_with(begins)).collect())
///     }
/// }
///
/// #[log_experiment]
/// fn double(_bench: &Bench, x: f64) -> Result<f64> {
///     Ok(2.0 * x)
/// }
///
/// let place = Memory::default();
/// let (here, there) = (Bench::embedded()?.remote(place.clone())?, Bench::embedded()?.remote(place)?);
/// double(&here, 3.0)?;
/// let version = &there.list_versions("double")?[0];
/// assert_eq!(there.get_version("double", version)?.result::<f64>()?, 6.0);
/// # Ok::<(), arrakis::Error>(())
/// ```
pub trait Remote: fmt::Debug + fmt::Display + Send + Sync {
    /// Writes an object if there is none of this name; of several writers one does. Returns whether this one did.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or refuses. The object may be there all the same.
    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool>;

    /// Replaces an object if these are its bytes. Returns whether they were.
    ///
    /// # Errors
    ///
    /// Those of [`Remote::put_new`].
    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> io::Result<bool>;

    /// The bytes of an object; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or refuses.
    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// The objects whose names begin so, each with its size in bytes. Every object that was written before is among them.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or refuses.
    fn list(&self, begins: &str) -> io::Result<Vec<(String, u64)>>;
}

/// What was sent to a [`Remote`], or brought from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Records that were not there.
    pub records: usize,
    /// Files that have other contents there. Neither was changed.
    pub differ: Vec<PathBuf>,
}

/// The place behind a folder, and what it is known to have.
#[derive(Clone, Debug)]
pub(in crate::experiment) struct Far {
    pub(super) remote: Arc<dyn Remote>,
    /// Objects that are named by their contents.
    known: Arc<Mutex<HashSet<String>>>,
}

impl Far {
    pub(super) fn new(remote: impl Remote + 'static) -> Self {
        Self { remote: Arc::new(remote), known: Arc::default() }
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    pub(super) fn learn(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    pub(super) fn refuse(&self, problem: String) -> Error {
        Error::Remote { remote: self.remote.to_string(), problem }
    }

    pub(super) fn unread(&self, source: &io::Error) -> Error {
        self.refuse(format!("the records cannot be read: {source}"))
    }
}
