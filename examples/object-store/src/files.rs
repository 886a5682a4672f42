//! The files of a folder of records.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The folder in which a bench notes what it has not sent yet.
const WAITING: &str = ".waiting";

/// The names of all files below a folder, sorted. Files that are being written are left out, and what only says which are to be sent.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let (mut names, mut open) = (Vec::new(), vec![(folder.to_owned(), String::new())]);
    while let Some((folder, before)) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{before}{}", entry.file_name().to_string_lossy());
            if name == WAITING {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if !entry.file_name().to_string_lossy().starts_with(".writing-") {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file only grows.
pub(crate) fn grows(name: &str) -> bool {
    name.ends_with(".jsonl")
}

/// Whether the order of a file's lines does not matter: tags and notes, which every folder adds to on its own.
pub(crate) fn is_set_of_lines(name: &str) -> bool {
    grows(name) && name.rsplit('/').nth(1) == Some("annotations")
}

/// The lines of one file that are not in another, each between newlines.
pub(crate) fn new_lines(own: &[u8], other: &[u8]) -> Vec<u8> {
    let known: HashSet<&[u8]> = other.split(|byte| *byte == b'\n').collect();
    let new = own.split(|byte| *byte == b'\n').filter(|line| !known.contains(line) && !line.is_empty());
    new.flat_map(|line| [b"\n", line, b"\n"].concat()).collect()
}

/// The path of a name below a folder; `None` for a name that leads out of it.
pub(crate) fn path_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains('\\');
    name.split('/').all(plain).then(|| folder.join(name))
}

/// Writes a file that does not exist yet, whole or not at all. `false` if it exists.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match aside(path, bytes)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Replaces a file, whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    aside(path, bytes)?.persist(path).map(drop).map_err(|error| error.error)
}

fn aside(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        let folder = Path::new("/runs");
        assert_eq!(path_of(folder, "a/b.json"), Some("/runs/a/b.json".into()));
        for name in ["", "../x", "a/../../x", "/etc/x", "a//b", "a\\b", "./a"] {
            assert_eq!(path_of(folder, name), None, "{name}");
        }
    }

    #[test]
    fn unfinished_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(write_new(&path("a/one.json"), b"1").unwrap() && !write_new(&path("a/one.json"), b"2").unwrap());
        std::fs::write(path("a/.writing-x.json"), "half").unwrap();
        write_new(&path(".waiting/a/two"), b"").unwrap();
        replace(&path(".shards/j/0-of-2/1.jsonl"), b"{}").unwrap();
        assert_eq!(names(folder.path()).unwrap(), [".shards/j/0-of-2/1.jsonl", "a/one.json"]);
        assert_eq!(std::fs::read(path("a/one.json")).unwrap(), b"1");
    }
}
