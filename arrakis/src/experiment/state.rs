//! What a work tree has besides its commit: changes that are not committed, and new sources.
//!
//! It is kept beside the records that were made of it, so that they can be made again. What git ignores is no part of it, nor is
//! what looks like a secret.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::json;
use super::secrets::{has_secret, is_secret_file};

/// The most bytes of one file's changes.
const MOST_OF_FILE: usize = 1 << 20;

/// The most bytes of all of them.
const MOST: usize = 8 << 20;

/// New files of these kinds are sources wherever they are; in `src`, all are.
const SOURCES: [&str; 4] = ["rs", "toml", "lock", "wgsl"];

/// The changes of a work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The commit that they are of.
    pub commit: String,
    /// The changes of files that the commit has, for `git apply`.
    pub patch: String,
    /// The texts of new files, by their paths from the root.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Changes that are not kept, and why: by their paths from the root.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
}

impl State {
    /// The changes of the work tree with this root. `None` if there are none, or git does not say.
    pub(super) fn of(root: &Path, commit: &str) -> Option<Self> {
        let mut state = Self { commit: commit.to_owned(), ..Self::default() };
        let mut room = MOST;
        let diff = ["diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"];
        let options = ["--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules"];
        for section in sections(&git(root, &[&diff[..], &options].concat())?) {
            state.add_change(section, &mut room);
        }
        let new = git(root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        for path in new.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok()) {
            if is_source(path) {
                state.add_file(root, path, &mut room);
            }
        }
        (!state.patch.is_empty() || !state.files.is_empty() || !state.left_out.is_empty()).then_some(state)
    }

    /// Keeps its text in memory for the stores that this program writes to, and returns the digest that names it.
    pub(crate) fn remembered(&self) -> String {
        let text = format!("{:#}\n", serde_json::to_value(self).expect("BUG: a state is plain data"));
        let digest = json::digest(&text);
        texts().insert(digest.clone(), text.into());
        digest
    }

    fn add_change(&mut self, section: &[u8], room: &mut usize) {
        let Ok(text) = std::str::from_utf8(section) else {
            self.left_out.insert(path_of(&String::from_utf8_lossy(section)), "it is not UTF-8 text".into());
            return;
        };
        let added = text.lines().filter(|line| line.starts_with('+')).collect::<Vec<_>>().join("\n");
        match why_not(&path_of(text), &added, text.len(), room) {
            Some(why) => drop(self.left_out.insert(path_of(text), why)),
            None => self.patch.push_str(text),
        }
    }

    fn add_file(&mut self, root: &Path, path: &str, room: &mut usize) {
        let Ok(bytes) = std::fs::read(root.join(path)) else { return };
        let length = bytes.len();
        let Ok(text) = String::from_utf8(bytes) else {
            self.left_out.insert(path.to_owned(), "it is not UTF-8 text".into());
            return;
        };
        match why_not(path, &text, length, room) {
            Some(why) => drop(self.left_out.insert(path.to_owned(), why)),
            None => drop(self.files.insert(path.to_owned(), text)),
        }
    }
}

/// The text of a state of this program, by its digest.
pub(super) fn text(digest: &str) -> Option<Arc<str>> {
    texts().get(digest).cloned()
}

fn texts() -> MutexGuard<'static, BTreeMap<String, Arc<str>>> {
    static TEXTS: Mutex<BTreeMap<String, Arc<str>>> = Mutex::new(BTreeMap::new());
    TEXTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a change is not kept. One that is kept takes its room.
fn why_not(path: &str, text: &str, length: usize, room: &mut usize) -> Option<String> {
    if is_secret_file(path) || has_secret(text) {
        return Some("it looks like it holds a secret".into());
    }
    if length > MOST_OF_FILE.min(*room) {
        return Some(format!("it has {length} bytes, and there is room for {}", MOST_OF_FILE.min(*room)));
    }
    *room -= length;
    None
}

/// The changes of each file.
fn sections(diff: &[u8]) -> Vec<&[u8]> {
    const START: &[u8] = b"diff --git ";
    let mut starts = vec![];
    let mut line = 0;
    while line < diff.len() {
        if diff[line..].starts_with(START) {
            starts.push(line);
        }
        line = diff[line..].iter().position(|byte| *byte == b'\n').map_or(diff.len(), |end| line + end + 1);
    }
    let ends = starts.iter().skip(1).copied().chain([diff.len()]);
    starts.iter().zip(ends).map(|(start, end)| &diff[*start..end]).collect()
}

/// The path in `diff --git a/PATH b/PATH`.
fn path_of(section: &str) -> String {
    let line = section.lines().next().unwrap_or_default();
    let paths = line.strip_prefix("diff --git a/").unwrap_or(line);
    // Both are the same, with a space and `b/` between them.
    paths.get(..paths.len().saturating_sub(3) / 2).unwrap_or(paths).to_owned()
}

/// Whether a new file may be a source: not a hidden one, nor a text that a store keeps.
fn is_source(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let (stem, end) = path.rsplit('/').next().unwrap_or(path).rsplit_once('.').unwrap_or((path, ""));
    let of_store = stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    !hidden && !of_store && (SOURCES.contains(&end) || path.split('/').any(|part| part == "src"))
}

/// What git says; `None` if it refuses or is not there.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;

    /// A work tree with these files committed.
    pub(crate) fn committed(files: &[(&str, &str)]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), files);
        let run = |arguments: &[&str]| git(folder.path(), arguments).unwrap();
        run(&["init", "--quiet"]);
        run(&["add", "--all"]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        run(&[&who[..], &["commit", "--quiet", "-m", "first"]].concat());
        let commit = String::from_utf8(run(&["rev-parse", "HEAD"])).unwrap().trim().to_owned();
        (folder, commit)
    }

    /// What git says.
    pub(crate) fn said(folder: &Path, arguments: &[&str]) -> Vec<u8> {
        git(folder, arguments).unwrap()
    }

    pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn changes_and_new_sources_are_kept_and_nothing_else_is() {
        let (folder, commit) =
            committed(&[("src/main.rs", "fn main() {}\n"), ("my notes.md", "a\n"), (".gitignore", "data\n")]);
        assert_eq!(State::of(folder.path(), &commit), None);
        let token = format!("hf_{}", "aB3".repeat(8));
        let hash = format!("experiments/sweep/helpers/{}.rs", "0".repeat(64));
        let large = "x".repeat(MOST_OF_FILE + 1);
        write(
            folder.path(),
            &[
                ("src/main.rs", "fn main() { run() }\n"),
                ("my notes.md", &format!("my token is {token}\n")),
                ("src/words.txt", "a b"),
                ("src/heads.rs", "fn run() {}\n"),
                ("src/large.rs", &large),
                ("src/keys.rs", &format!("const T: &str = \"{token}\";\n")),
                ("data/big.rs", "fn ignored() {}"),
                (".cargo/credentials.toml", "x = 1"),
                ("results.csv", "1,2"),
                (&hash, "fn helper() {}"),
            ],
        );
        let state = State::of(folder.path(), &commit).unwrap();
        assert!(state.patch.starts_with("diff --git a/src/main.rs b/src/main.rs\n"), "{}", state.patch);
        assert!(state.patch.contains("+fn main() { run() }\n") && !state.patch.contains("notes"), "{}", state.patch);
        assert_eq!(state.files.keys().collect::<Vec<_>>(), ["src/heads.rs", "src/words.txt"]);
        let secret = "it looks like it holds a secret".to_owned();
        let size = format!("it has {} bytes, and there is room for {MOST_OF_FILE}", large.len());
        let left_out: Vec<(&str, &String)> = state.left_out.iter().map(|(path, why)| (path.as_str(), why)).collect();
        assert_eq!(left_out, [("my notes.md", &secret), ("src/keys.rs", &secret), ("src/large.rs", &size)]);
        let text = text(&state.remembered()).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }

    #[test]
    fn a_folder_outside_any_work_tree_has_no_state() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::of(folder.path(), "0"), None);
    }
}
