//! Writes files whole or not at all: to a temporary file in the same folder, synced, then renamed.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::ground::error::{Error, Result};

/// Writes a file. If that fails, an old file stays as it was. The folder must exist.
///
/// Its permissions follow the umask, like those of any other file.
///
/// # Errors
///
/// [`Error::Write`] naming the file.
pub fn write_whole(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write_whole_with(path, |aside| {
        std::fs::write(aside, bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
    })
}

/// Like [`write_whole`], for a file that `fill` writes. `fill` gets the path of the temporary file, which has the same
/// extension.
///
/// # Errors
///
/// Those of `fill`, and [`Error::Write`] naming the file.
pub fn write_whole_with<E: From<Error>>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let aside = beside(path).map_err(failed)?;
    fill(aside.path())?;
    aside.as_file().sync_all().map_err(failed)?;
    aside.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a new file. An existing file is not touched.
///
/// # Errors
///
/// Those of the system, [`io::ErrorKind::AlreadyExists`] if the file exists.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = beside(path)?;
    aside.write_all(bytes)?;
    aside.as_file().sync_all()?;
    aside.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file in the same folder. Its permissions follow the umask, unlike tempfile's default.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let suffix = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-").suffix(&suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, "a longer text").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, "old").unwrap();
        let failed = write_whole_with(&path, |aside| {
            std::fs::write(aside, "half of").unwrap();
            assert_eq!(aside.extension().unwrap(), "json");
            Err(Error::NoTokenizer)
        });
        assert!(matches!(failed, Err(Error::NoTokenizer)));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_new(&path, b"first").unwrap();
        assert_eq!(write_new(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("a");
        let message = write_whole(&path, "x").unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write `{}`: ", path.display())), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        std::fs::write(folder.path().join("ordinary"), "x").unwrap();
        write_whole(&folder.path().join("whole"), "x").unwrap();
        write_new(&folder.path().join("new"), b"x").unwrap();
        assert_eq!([mode("whole"), mode("new")], [mode("ordinary"); 2]);
    }
}
