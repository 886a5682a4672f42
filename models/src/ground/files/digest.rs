//! The digest of a file, computed once for each state that it is in.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{Identity, is_there};
use crate::ground::cache;
use crate::ground::error::{Error, Result};

/// Files smaller than this are hashed as fast as they are looked up.
const WORTH_KEEPING: u64 = 1 << 20;

/// SHA-256 of a file, in hex.
///
/// That of a large file is kept in the user's cache ([`crate::ground::cache::folder`]), under the identity of the file: path, size,
/// times, number on the disk.
///
/// # Errors
///
/// [`Error::Read`] if it cannot be read, [`Error::File`] if it is not a regular file.
pub fn digest(path: &Path) -> Result<String> {
    digest_kept(path, cache::folder().as_deref(), WORTH_KEEPING, hash)
}

fn digest_kept(
    path: &Path,
    cache: Option<&Path>,
    worth: u64,
    hash: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<String> {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let unread = |source| Error::Read { path: path.to_owned(), source };
    is_there(path)?;
    let identity = Identity::of(path).map_err(unread)?;
    if !identity.is_settled() {
        return hash(path).map_err(unread);
    }
    let name = format!("{:x}", Sha256::digest(format!("{identity:?}")));
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(hex) = known().get(&name) {
        return Ok(hex.clone());
    }
    let folder = cache.filter(|_| identity.bytes >= worth).map(|cache| cache.join("digests"));
    let kept = folder.as_deref().and_then(|folder| cache::read_digest(folder, &name));
    let hex = if let Some(hex) = kept {
        hex
    } else {
        let hex = hash(path).map_err(unread)?;
        if let Some(folder) = &folder {
            cache::write(folder, &name, &hex);
        }
        hex
    };
    // It may have been changed while it was read.
    if Identity::of(path).is_ok_and(|now| now == identity) {
        known().insert(name, hex.clone());
    }
    Ok(hex)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut std::fs::File::open(path)?, &mut digest)?;
    Ok(format!("{:x}", digest.finalize()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_file_is_its_bytes_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(digest(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::write(&path, "abd").unwrap();
        assert_ne!(digest(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let said = digest(&folder.path().join("none")).unwrap_err().to_string();
        assert!(said.starts_with("cannot read `") && said.contains("none`"), "{said}");
    }

    #[test]
    fn a_settled_file_is_hashed_once_also_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        // On Unix the entry on the disk is new, whatever its time says: a file of the system is settled.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let identity = Identity::of(&path).unwrap();
        assert!(identity.is_settled());
        let fixed = "0123456789abcdef".repeat(4);
        let cache = Some(folder.path());
        let of = |hash: &dyn Fn(&Path) -> io::Result<String>| digest_kept(&path, cache, 0, |path| hash(path)).unwrap();
        let name = format!("{:x}", Sha256::digest(format!("{identity:?}")));
        cache::write(&folder.path().join("digests"), &name, &fixed);
        let unread = |_: &Path| -> io::Result<String> { unreachable!("it is kept") };
        let first = of(&unread);
        cache::write(&folder.path().join("digests"), &name, "damaged");
        assert_eq!((first.as_str(), of(&unread)), (fixed.as_str(), fixed.clone()), "known to this process");
    }

    #[test]
    fn what_has_just_been_written_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        digest_kept(&path, Some(folder.path()), 0, hash).unwrap();
        assert!(!folder.path().join("digests").exists());
    }
}
