//! What a run depends on besides its inputs: the commit, the lock file, the versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::{Launch, State, json, package, state};

/// The state of the git work tree that a function was compiled from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit's hash.
    pub commit: String,
    /// Whether files differ from the commit.
    pub dirty: bool,
    /// The folder of the function's package, from the root of the work tree.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// What the sources had besides the commit: SHA-256 of a [`State`](super::State) in the store, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// Looked up once per process for each package folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) git: Option<Git>,
    /// How this program was started.
    pub(crate) launch: Option<Launch>,
    /// SHA-256 of `Cargo.lock`, in hex.
    pub(crate) lock: Option<String>,
    /// SHA-256 of the sources of the package, in hex.
    pub(crate) sources: Option<String>,
    /// The versions of `arrakis`, `burn` and `rustc`.
    pub(crate) versions: BTreeMap<String, String>,
}

impl Environment {
    /// The environment of the package in `folder`, as it was when first requested.
    pub(crate) fn of(folder: &str) -> Self {
        static KNOWN: Mutex<BTreeMap<String, Environment>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(folder.to_owned()).or_insert_with(|| Self::look(Path::new(folder))).clone()
    }

    fn look(folder: &Path) -> Self {
        let lock = package::lock_file(folder).and_then(|path| std::fs::read_to_string(path).ok());
        let mut versions = BTreeMap::from([
            ("arrakis".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("rustc".to_owned(), env!("ARRAKIS_RUSTC").to_owned()),
        ]);
        if let Some(burn) = lock.as_deref().and_then(|text| locked_version(text, "burn")) {
            versions.insert("burn".to_owned(), burn);
        }
        let (git, root) = git(folder).unzip();
        let launch = Launch::of_this_program(root.as_deref());
        Self { git, launch, lock: lock.as_deref().map(json::digest), sources: package::sources(folder), versions }
    }
}

/// The version of a package in the text of a lock file.
pub(super) fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"').map(str::to_owned)
}

/// `None` without a `git` command or a work tree.
fn git(folder: &Path) -> Option<(Git, PathBuf)> {
    let said =
        String::from_utf8(state::git(folder, &["rev-parse", "HEAD", "--show-toplevel", "--show-prefix"])?).ok()?;
    let mut lines = said.lines();
    let (commit, root) = (lines.next()?.to_owned(), PathBuf::from(lines.next()?));
    let package = lines.next().unwrap_or_default().trim_end_matches('/').to_owned();
    let dirty = !state::git(folder, &["status", "--porcelain"])?.is_empty();
    let state = dirty.then(|| State::of(&root, &commit)).flatten().map(|state| state.remembered());
    Some((Git { commit, dirty, package, state }, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_package_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"burn-core\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"burn\"\nversion = \"0.22.1\"\n";
        assert_eq!(locked_version(lock, "burn").as_deref(), Some("0.22.1"));
        assert_eq!(locked_version(lock, "bur"), None);
    }

    #[test]
    fn a_folder_outside_any_work_tree_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        assert!(git(folder.path()).is_none());
    }

    #[test]
    fn a_changed_work_tree_has_a_state_and_the_place_of_the_package() {
        let (folder, commit) = state::tests::committed(&[("study/src/main.rs", "fn main() {}\n")]);
        let package = folder.path().join("study");
        let (clean, root) = git(&package).unwrap();
        assert_eq!(clean, Git { commit: commit.clone(), dirty: false, package: "study".into(), state: None });
        assert_eq!(root, folder.path().canonicalize().unwrap());
        state::tests::write(&package, &[("src/main.rs", "fn main() { }\n")]);
        let (changed, _) = git(&package).unwrap();
        assert!(changed.dirty && changed.commit == commit);
        let digest = changed.state.unwrap();
        assert_eq!(json::digest(&state::text(&digest).unwrap()), digest);
    }
}
