//! A store with a second place behind its folder, such as an object store.
//!
//! The folder is the cache of what is there, and the spool of what is not there yet. A record is sent as soon as it is written, with what belongs
//! to it before itself, so who sees a record sees all of it. Until it is there its name is in `.waiting/`.

mod fetch;
mod place;
mod send;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use super::Store;
pub(super) use place::Far;
pub use place::{Brought, Remote};

impl Store {
    /// The store with a place behind its folder. Every record that is written from now on is sent there; nothing is sent or read yet.
    #[must_use]
    pub fn with_remote(self, remote: impl Remote + 'static) -> Self {
        Self { far: Some(Far::new(remote)), ..self }
    }

    /// The place behind the folder.
    pub fn remote(&self) -> Option<&dyn Remote> {
        self.far.as_ref().map(|far| &*far.remote)
    }
}
