//! A place in memory that can fail.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use super::Remote;

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Requests about names that end so fail.
    pub(super) broken: Arc<Mutex<Option<&'static str>>>,
}

impl Memory {
    pub(super) fn break_at(&self, end: impl Into<Option<&'static str>>) {
        *self.broken.lock().unwrap() = end.into();
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn ask(&self, name: &str) -> io::Result<std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>>> {
        if self.broken.lock().unwrap().is_some_and(|end| name.ends_with(end)) {
            return Err(io::Error::new(ErrorKind::TimedOut, "no answer"));
        }
        Ok(self.objects.lock().unwrap())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory://records")
    }
}

impl Remote for Memory {
    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let mut objects = self.ask(name)?;
        let is_new = !objects.contains_key(name);
        objects.entry(name.into()).or_insert_with(|| bytes.into());
        Ok(is_new)
    }

    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> io::Result<bool> {
        let mut objects = self.ask(name)?;
        let object = objects.get_mut(name).filter(|object| *object == old);
        Ok(object.map(|object| *object = new.into()).is_some())
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.ask(name)?.get(name).cloned())
    }

    fn list(&self, begins: &str) -> io::Result<Vec<(String, u64)>> {
        let objects = self.ask(begins)?;
        let sized = objects.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64));
        Ok(sized.filter(|(name, _)| name.starts_with(begins)).collect())
    }
}
