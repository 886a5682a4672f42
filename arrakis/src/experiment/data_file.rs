//! The files that a run read.

use std::path::{Path, PathBuf};

use arrakis_models::files;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Result;

/// A file that a run read, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DataFile {
    /// Its path, as the program named it.
    pub path: String,
    /// The folder that a relative path began at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

impl DataFile {
    /// A file as it is now.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let folder = if path.is_absolute() { PathBuf::new() } else { std::env::current_dir().unwrap_or_default() };
        Self::named(path, &folder)
    }

    /// A file whose relative path begins at a folder.
    pub(crate) fn named(path: &Path, folder: &Path) -> Result<Self> {
        let sha256 = files::digest(&folder.join(path))?;
        Ok(Self { path: path.to_string_lossy().into(), folder: folder.to_string_lossy().into(), sha256 })
    }

    /// Where it was.
    pub fn place(&self) -> PathBuf {
        Path::new(&self.folder).join(&self.path)
    }

    /// Its name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit(['/', '\\']).next().unwrap_or(&self.path)
    }

    /// What enters a version: the name and the digest. Folders are others on other machines.
    pub(super) fn input(&self) -> Value {
        json!([self.name(), self.sha256])
    }
}

/// The inputs of files, in an order that their folders do not change, each once.
pub(super) fn inputs(files: &[DataFile]) -> Value {
    let mut files: Vec<(&str, &DataFile)> = files.iter().map(|file| (file.name(), file)).collect();
    files.sort_by_key(|(name, file)| (*name, file.sha256.as_str()));
    files.dedup_by_key(|(name, file)| (*name, file.sha256.as_str()));
    files.into_iter().map(|(_, file)| file.input()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_are_inputs_and_folders_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            DataFile::of(&path).unwrap()
        };
        let (a, b) = (write("z/a.txt", "1"), write("a/b.txt", "2"));
        let (moved, changed) = (write("y/a.txt", "1"), write("x/a.txt", "3"));
        let digest = |text: &str| crate::experiment::json::digest(text);
        assert_eq!(inputs(&[b.clone(), a.clone()]), json!([["a.txt", digest("1")], ["b.txt", digest("2")]]));
        assert_eq!(inputs(&[b.clone(), a.clone()]), inputs(&[moved, b.clone(), a.clone()]));
        assert_ne!(inputs(&[a, b.clone()]), inputs(&[changed, b]));
    }

    #[test]
    fn a_relative_path_is_found_from_where_it_began() {
        let manifest = DataFile::named(Path::new("Cargo.toml"), Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!((manifest.path.as_str(), manifest.name()), ("Cargo.toml", "Cargo.toml"));
        assert!(manifest.place().is_file());
        let said = DataFile::of(Path::new("no/such.txt")).unwrap_err().to_string();
        assert!(said.starts_with("cannot read `no/such.txt`: ") || said.contains("no/such.txt"), "{said}");
    }
}
