//! The recorded state of a repository, checked out beside nothing that could be disturbed.
//!
//! It is always at the same place for a repository, and has the same folders above it, so that builds are reused and packages that
//! are outside of it are found by the same relative paths.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use arrakis_models::ground::cache;

use crate::experiment::{DataFile, Launch, Record, State, json, package_folders, package_lock};

/// A work tree of git, removed when dropped.
pub(super) struct Tree {
    /// The root of the repository.
    root: PathBuf,
    base: PathBuf,
    place: PathBuf,
    /// The folder of the package, from the root.
    package: String,
    _lock: File,
}

impl Tree {
    /// The sources of a record, from the repository that `sources` is in.
    pub(super) fn of(record: &Record, state: Option<&State>, sources: &Path) -> Result<Self, String> {
        let git = record.git.as_ref().ok_or("the record names no commit")?;
        let root = root_of(sources)?;
        let commit = format!("{}^{{commit}}", git.commit);
        said(&root, &["cat-file", "-e", &commit], None).map_err(|_| {
            format!(
                "`{}` does not have the commit {}: fetch it, or say with --sources where it is",
                root.display(),
                git.commit
            )
        })?;
        let base = base_of(&root);
        let lock = locked(&base, &root)?;
        let place = base.join("root").join(below_root(&root));
        let tree = Self { place, base, package: git.package.clone(), root, _lock: lock };
        tree.check_out(&git.commit)?;
        state.map_or(Ok(()), |state| tree.change(state))?;
        tree.take_lock_file(record);
        tree.link_packages();
        Ok(tree)
    }

    fn check_out(&self, commit: &str) -> Result<(), String> {
        self.remove();
        fs::create_dir_all(&self.place).map_err(|error| format!("cannot make `{}`: {error}", self.place.display()))?;
        let place = self.place.to_string_lossy();
        said(&self.root, &["worktree", "add", "--force", "--detach", "--quiet", &place, commit], None).map(drop)
    }

    fn change(&self, state: &State) -> Result<(), String> {
        if !state.patch.is_empty() {
            said(&self.place, &["apply", "--whitespace=nowarn", "-"], Some(&state.patch))
                .map_err(|problem| format!("the recorded changes do not fit the commit: {problem}"))?;
        }
        for (path, text) in &state.files {
            let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            let path = self.place.join(path);
            // Nothing is written outside of the work tree.
            let written = is_plain
                && fs::create_dir_all(path.parent().unwrap_or(&self.place))
                    .and_then(|()| fs::write(&path, text))
                    .is_ok();
            if !written {
                return Err(format!("cannot write the recorded file `{}`", path.display()));
            }
        }
        Ok(())
    }

    /// A lock file that git ignores, if it is still the recorded one.
    fn take_lock_file(&self, record: &Record) {
        let theirs = package_lock(&self.root.join(&self.package)).filter(|path| path.starts_with(&self.root));
        let Some((path, text)) = theirs.and_then(|path| Some((path.clone(), fs::read_to_string(path).ok()?))) else {
            return;
        };
        let ours = self.inside(&path);
        if !ours.exists() && record.lock == Some(json::digest(&text)) {
            drop(fs::write(ours, text));
        }
    }

    /// Packages by path outside of the repository are taken as they lie there.
    fn link_packages(&self) {
        for package in package_folders(&self.root.join(&self.package)) {
            let mut parts = package.components();
            let common: PathBuf =
                self.root.components().zip(parts.by_ref()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
            if package.starts_with(&self.root) || self.root.starts_with(&package) {
                continue;
            }
            if let Some(first) = package.strip_prefix(&common).ok().and_then(|rest| rest.components().next()) {
                let outside = common.join(first);
                link(&outside, &self.base.join("root").join(below_root(&outside)));
            }
        }
    }

    /// Links the files that git does not have and that the program names by relative paths: its data, and the folder of its model.
    pub(super) fn link_inputs(&self, record: &Record, launch: &Launch) {
        let folder = self.root.join(&launch.folder);
        let data = record.data.iter().map(DataFile::place);
        for path in data.chain([folder.join(&record.model.name)]) {
            if path.starts_with(&self.root) && path.exists() {
                link(&path, &self.inside(&path));
            }
        }
    }

    /// The place in the work tree of what is in the repository.
    fn inside(&self, path: &Path) -> PathBuf {
        self.place.join(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// The folder of the package.
    pub(super) fn package(&self) -> PathBuf {
        self.place.join(&self.package)
    }

    /// The folder that a program ran in, if it was in the repository; otherwise as it was.
    pub(super) fn folder(&self, launch: &Launch) -> PathBuf {
        let folder = self.place.join(&launch.folder);
        if folder.is_dir() { folder } else { self.package() }
    }

    /// Where builds go. It stays.
    pub(super) fn target(&self) -> PathBuf {
        self.base.join("target")
    }

    fn remove(&self) {
        let place = self.place.to_string_lossy();
        drop(said(&self.root, &["worktree", "remove", "--force", "--force", &place], None));
        drop(fs::remove_dir_all(self.base.join("root")));
        drop(said(&self.root, &["worktree", "prune"], None));
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The root of the work tree that a folder is in.
fn root_of(sources: &Path) -> Result<PathBuf, String> {
    let root = said(sources, &["rev-parse", "--show-toplevel"], None).map_err(|_| {
        format!(
            "`{}` is in no git work tree, or there is no git: say with --sources where the sources are",
            sources.display()
        )
    })?;
    Ok(PathBuf::from(root.trim_end_matches(['\n', '\r'])))
}

fn base_of(root: &Path) -> PathBuf {
    let folder = cache::folder().unwrap_or_else(|| std::env::temp_dir().join("arrakis"));
    folder.join("rerun").join(&json::digest(&root.to_string_lossy())[..16])
}

/// One rerun of a repository at a time.
fn locked(base: &Path, root: &Path) -> Result<File, String> {
    let unwritten = |error: std::io::Error| format!("cannot write `{}`: {error}", base.display());
    fs::create_dir_all(base).map_err(unwritten)?;
    fs::write(base.join("of"), root.to_string_lossy().as_bytes()).map_err(unwritten)?;
    let lock = File::create(base.join("lock")).map_err(unwritten)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!("another rerun of `{}` is going on: wait for it", root.display())),
        Err(TryLockError::Error(error)) => Err(unwritten(error)),
    }
}

fn below_root(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// What is there already stays. A link that cannot be made is missed by the build, which says so.
fn link(to: &Path, at: &Path) {
    if at.symlink_metadata().is_ok() {
        return;
    }
    drop(at.parent().map(fs::create_dir_all));
    #[cfg(unix)]
    drop(std::os::unix::fs::symlink(to, at));
    #[cfg(windows)]
    drop(if to.is_dir() {
        std::os::windows::fs::symlink_dir(to, at)
    } else {
        std::os::windows::fs::symlink_file(to, at)
    });
}

/// What git says, or why it refuses.
fn said(folder: &Path, arguments: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut git = Command::new("git");
    git.args(["-c", "core.hooksPath=/dev/null", "-C"]).arg(folder).args(arguments);
    git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = git.spawn().map_err(|error| format!("cannot run git: {error}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        drop(pipe.write_all(input.unwrap_or_default().as_bytes()));
    }
    let done = child.wait_with_output().map_err(|error| format!("cannot run git: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("git {}: {}", arguments[0], String::from_utf8_lossy(&done.stderr).trim()))
}
