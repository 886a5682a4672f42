//! Opens files in untrusted folders: only regular files, nothing that blocks or never ends.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::noted;
use crate::ground::bytes::human_bytes;
use crate::ground::error::{Error, Result};

/// The start of a Git LFS pointer, the small text in place of a file that has not been fetched.
const POINTER: &[u8] = b"version https://git-lfs.github.com/";

const UNFETCHED: &str =
    "it is a Git LFS pointer, and the file it stands for has not been fetched: run `git lfs pull` in its folder";

/// The problem of a file that starts with these bytes, if it is a pointer.
fn pointer(start: &[u8]) -> Option<&'static str> {
    start.starts_with(POINTER).then_some(UNFETCHED)
}

/// The same for the first eight bytes of a safetensors file, which normally are the length of its header.
pub(crate) fn pointer_length(start: [u8; 8]) -> Option<&'static str> {
    POINTER.starts_with(&start).then_some(UNFETCHED)
}

/// Whether a file exists.
///
/// # Errors
///
/// [`Error::File`] if something else has this name: a link to nothing, a folder or a pipe.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) if found.is_dir() => Err(Error::file(path, "it is a folder; put a file of this name there")),
        Ok(_) => Err(Error::file(path, "it is not a regular file but a pipe or a device; put the file itself there")),
        Err(_) if std::fs::symlink_metadata(path).is_ok() => {
            Err(Error::file(path, "it is a link to a file that is not there; download it again"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

/// Opens a regular file. Opening a pipe would wait until somebody writes to it. Who observes reading is told ([`observe`](super::observe)).
///
/// # Errors
///
/// [`Error::Read`] if it cannot be opened, [`Error::File`] if it is not a regular file.
pub fn open(path: &Path) -> Result<File> {
    is_there(path)?;
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    noted::note(path);
    Ok(file)
}

/// Reads a file of limited size.
///
/// # Errors
///
/// [`Error::Read`] if it cannot be read; [`Error::File`] if it is larger than `limit` bytes or a Git LFS pointer.
pub(crate) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(Error::file(path, format!("it is larger than {}; is it the right file?", human_bytes(limit))));
    }
    pointer(&bytes).map_or(Ok(bytes), |problem| Err(Error::file(path, problem)))
}

/// Reads a text of limited size, without the byte order mark that some editors add.
///
/// # Errors
///
/// As [`bytes`], and [`Error::File`] if it is empty or not UTF-8.
pub(crate) fn text(path: &Path, limit: u64) -> Result<String> {
    let bytes = bytes(path, limit)?;
    let mut text = String::from_utf8(bytes).map_err(|_| Error::file(path, "it is not UTF-8 text; save it as UTF-8"))?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    if text.trim().is_empty() {
        return Err(Error::file(path, "it is empty; download it again"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        text(&path, 1 << 20).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_read_or_refused_with_the_fix() {
        assert_eq!(said(b"{}").unwrap(), "{}");
        assert_eq!(said(b"\xef\xbb\xbf{}").unwrap(), "{}");
        let utf16: Vec<u8> = "{\"ä\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, problem) in [
            (&utf16[..], "not UTF-8 text; save it as UTF-8"),
            (b" \n", "it is empty; download it again"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "run `git lfs pull`"),
            (&vec![b' '; (1 << 20) + 1], "it is larger than 1.0 MB"),
        ] {
            let said = said(bytes).unwrap_err();
            assert!(said.contains(problem), "{said}");
        }
    }

    #[test]
    fn things_that_are_not_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_there(&folder.path().join("nothing")).unwrap());
        assert!(is_there(folder.path()).unwrap_err().to_string().contains("it is a folder"));
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert!(is_there(&link).unwrap_err().to_string().contains("a link to a file that is not there"));
            assert!(open(Path::new("/dev/null")).unwrap_err().to_string().contains("not a regular file"));
        }
    }
}
