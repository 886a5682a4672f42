//! Tells one state of a file from another without reading it.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file whose times are younger than this may change again without a trace: clocks of file systems are coarse.
const COARSE: Duration = Duration::from_secs(2);

/// Where a file is, its size, and when it was written. On Unix also its number on the disk and when that entry changed,
/// which no program can set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    path: PathBuf,
    pub(crate) bytes: u64,
    modified: SystemTime,
    entry: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    device: u64,
    number: u64,
    changed: Duration,
}

impl Identity {
    /// The identity of a file, links followed.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let (path, found) = (path.canonicalize()?, path.metadata()?);
        Ok(Self { path, bytes: found.len(), modified: found.modified()?, entry: entry(&found) })
    }

    /// Whether a later change would be seen.
    pub(crate) fn is_settled(&self) -> bool {
        let age = |time: SystemTime| time.elapsed().unwrap_or_default();
        let changed = self.entry.as_ref().map(|entry| SystemTime::UNIX_EPOCH + entry.changed);
        age(self.modified) > COARSE && changed.is_none_or(|changed| age(changed) > COARSE)
    }
}

#[cfg(unix)]
fn entry(found: &Metadata) -> Option<Entry> {
    use std::os::unix::fs::MetadataExt as _;
    let changed = Duration::new(u64::try_from(found.ctime()).ok()?, u32::try_from(found.ctime_nsec()).ok()?);
    Some(Entry { device: found.dev(), number: found.ino(), changed })
}

#[cfg(not(unix))]
fn entry(_: &Metadata) -> Option<Entry> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_again_is_another_even_with_its_old_size_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, "one").unwrap();
        let first = Identity::of(&path).unwrap();
        assert_eq!((first.bytes, &first), (3, &Identity::of(&path).unwrap()));
        assert!(!first.is_settled(), "it has just been written");
        std::fs::write(&path, "two!").unwrap();
        assert_ne!(Identity::of(&path).unwrap(), first);
        std::fs::write(folder.path().join("other"), "one").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(first.modified).unwrap();
        let later = Identity::of(&path).unwrap();
        assert_eq!((later.bytes, later.modified), (3, first.modified));
        assert!(cfg!(not(unix)) || later != first, "its entry on the disk is another");
        assert!(Identity::of(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn an_old_file_is_settled() {
        let long_ago = Identity::of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let entry = long_ago.entry.clone().map(|entry| Entry { changed: Duration::from_secs(1_000_000_000), ..entry });
        assert!(Identity { modified: old, entry, ..long_ago }.is_settled());
    }
}
