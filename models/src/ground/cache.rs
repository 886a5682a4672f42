//! The folder for what can be computed again. It is safe to delete.

use std::path::{Path, PathBuf};

/// The variable that names the folder. Empty means that nothing is kept.
pub const CACHE_VARIABLE: &str = "ARRAKIS_CACHE";

/// `$ARRAKIS_CACHE`, else `arrakis` in the user's folder for caches: `$XDG_CACHE_HOME`, `~/.cache`, `%LOCALAPPDATA%`.
pub fn folder() -> Option<PathBuf> {
    place(|name| std::env::var_os(name).map(PathBuf::from))
}

fn place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(named) = variable(CACHE_VARIABLE) {
        return (!named.as_os_str().is_empty()).then_some(named);
    }
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".cache"));
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("LOCALAPPDATA")).or_else(home)?;
    Some(caches.join("arrakis"))
}

/// A short text that was kept under a name.
pub(crate) fn read(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(name)).ok()
}

/// A digest that was kept under a name. Anything but 64 hexadecimal digits is a damaged file.
pub(crate) fn read_digest(folder: &Path, name: &str) -> Option<String> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    read(folder, name).filter(|text| text.len() == 64 && text.bytes().all(is_hex))
}

/// Keeps a short text under a name. A cache that cannot be written is no error: the text is computed again.
pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    if std::fs::create_dir_all(folder).is_ok() {
        super::files::write_whole(&folder.join(name), text).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_names_a_place_counts() {
        let root = std::env::current_dir().unwrap();
        let of = |set: &[(&str, PathBuf)]| {
            place(|name| set.iter().find(|(other, _)| *other == name).map(|(_, path)| path.clone()))
        };
        let (home, xdg, own) = (("HOME", root.clone()), ("XDG_CACHE_HOME", root.join("x")), root.join("own"));
        assert_eq!(of(std::slice::from_ref(&home)), Some(root.join(".cache/arrakis")));
        assert_eq!(of(&[home.clone(), xdg.clone()]), Some(root.join("x/arrakis")));
        assert_eq!(of(&[home.clone(), xdg, (CACHE_VARIABLE, own.clone())]), Some(own));
        assert_eq!(of(&[home.clone(), (CACHE_VARIABLE, PathBuf::new())]), None);
        assert_eq!(of(&[home, ("XDG_CACHE_HOME", "relative".into())]), Some(root.join(".cache/arrakis")));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_kept_is_read_and_what_cannot_be_kept_is_not() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        assert_eq!(read(&folder, "name"), None);
        write(&folder, "name", "text");
        assert_eq!(read(&folder, "name").as_deref(), Some("text"));
        write(&folder.join("name"), "below a file", "text");
        assert_eq!(read(&folder.join("name"), "below a file"), None);
    }
}
