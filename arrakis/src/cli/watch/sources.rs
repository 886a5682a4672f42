//! Waits until one of the files that a program was made from is saved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// An editor saves in several steps. This long after the last one it is done.
const QUIET: Duration = Duration::from_millis(20);

/// The files that are watched. Their folders are, since editors save a file by putting another in its place.
pub(super) struct Sources {
    watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Sources {
    pub(super) fn new() -> notify::Result<Self> {
        let (heard, events) = channel();
        let watcher = notify::recommended_watcher(heard)?;
        Ok(Self { watcher, events, files: BTreeSet::new(), folders: BTreeSet::new() })
    }

    /// Watches more files. One that cannot be watched is left out: it may have been removed meanwhile.
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for file in files.into_iter().filter_map(|file| file.canonicalize().ok()) {
            let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
            if !self.folders.contains(&folder) && self.watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
            self.files.insert(file);
        }
    }

    /// Whether a file is saved within this time, or has been since the last call.
    pub(super) fn changed_within(&self, time: Duration) -> notify::Result<bool> {
        let mut changed = false;
        loop {
            match self.events.recv_timeout(if changed { QUIET } else { time }) {
                Ok(event) => changed |= self.is_save(&event?),
                Err(RecvTimeoutError::Timeout) => return Ok(changed),
                Err(RecvTimeoutError::Disconnected) => return Err(notify::Error::generic("the watch has ended")),
            }
        }
    }

    /// Whether an event changes a watched file. Reading a file, as the compiler does, is an event as well.
    fn is_save(&self, event: &Event) -> bool {
        !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| self.files.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any file system takes to tell.
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_save_is_seen_and_reading_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("main.rs"), "1").unwrap();
        let mut sources = Sources::new().unwrap();
        sources.add([path("main.rs"), path("absent.rs")]);
        std::fs::write(path("other.rs"), "1").unwrap();
        std::fs::read(path("main.rs")).unwrap();
        assert!(!sources.changed_within(Duration::from_millis(50)).unwrap());
        std::fs::write(path("main.rs"), "2").unwrap();
        assert!(sources.changed_within(LONG).unwrap());
        assert!(!sources.changed_within(Duration::ZERO).unwrap(), "one save is one change");
        std::fs::write(path("aside"), "3").unwrap();
        std::fs::rename(path("aside"), path("main.rs")).unwrap();
        assert!(sources.changed_within(LONG).unwrap(), "saved by another file in its place");
    }
}
