//! The sources of a package: everything that a run may depend on and that no attribute tracks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::store::HELPERS;

/// SHA-256 of the sources of the package in a folder and of the packages that it has by path, in hex: manifests, Rust files, and
/// all that lies in `src`. It does not depend on where the folder is. `None` if there is no package.
pub(crate) fn sources(folder: &Path) -> Option<String> {
    let mut digest = Sha256::new();
    for (index, package) in packages(folder)?.iter().enumerate() {
        let mut files = Vec::new();
        collect(package, package, &mut files);
        files.sort();
        for file in files {
            let contents = fs::read(package.join(&file)).ok()?;
            digest.update(format!("{index} {} {}\n", file.display(), contents.len()));
            digest.update(contents);
        }
    }
    Some(format!("{:x}", digest.finalize()))
}

/// The folders of a package and of those that it has by path.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    packages(folder).unwrap_or_default()
}

/// The nearest folder around a file that has a manifest.
pub(crate) fn folder_of(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_owned)
}

/// The lock file of a package.
pub(crate) fn lock_file(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file())
}

/// The folder of a package, and those of the packages that it has by path, in the order of the manifests.
fn packages(folder: &Path) -> Option<Vec<PathBuf>> {
    let (mut found, mut seen, mut next) = (Vec::new(), BTreeSet::new(), 0);
    fs::metadata(folder.join("Cargo.toml")).ok()?;
    let mut add = |found: &mut Vec<PathBuf>, folder: PathBuf| {
        if folder.join("Cargo.toml").is_file() && seen.insert(folder.clone()) {
            found.push(folder);
        }
    };
    add(&mut found, plain(folder));
    let root = lock_file(folder).and_then(|lock| lock.parent().map(plain));
    let inherited = root.and_then(|root| Some((fs::read_to_string(root.join("Cargo.toml")).ok()?, root)));
    while let Some(package) = found.get(next).cloned() {
        next += 1;
        let manifest = fs::read_to_string(package.join("Cargo.toml")).ok()?;
        for (_, path) in paths(&manifest) {
            add(&mut found, plain(&package.join(path)));
        }
        for (key, path) in inherited.iter().flat_map(|(text, _)| paths(text)) {
            let (_, root) = inherited.as_ref()?;
            if has_dependency(&manifest, key) {
                add(&mut found, plain(&root.join(path)));
            }
        }
    }
    Some(found)
}

/// What a manifest has by path: `key = { path = "..", .. }`.
fn paths(manifest: &str) -> impl Iterator<Item = (&str, &str)> {
    manifest.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let (_, after) = value.split_once("path")?;
        let quoted = after.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        Some((key.trim(), quoted.split('"').next()?))
    })
}

fn has_dependency(manifest: &str, key: &str) -> bool {
    let rest = |line: &str| line.trim_start().strip_prefix(key).map(|rest| rest.trim_start().to_owned());
    manifest.lines().filter_map(rest).any(|rest| rest.starts_with(['.', '=']))
}

/// Without `.` and `..`, as far as the text allows.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// The files of a package, relative to it: not those of packages inside it, of builds, and of hidden folders.
fn collect(package: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            if name != "target" && !path.join("Cargo.toml").is_file() {
                collect(package, &path, files);
            }
            continue;
        }
        let Ok(relative) = path.strip_prefix(package) else { continue };
        let counts =
            relative.starts_with("src") || name == "Cargo.toml" || path.extension().is_some_and(|end| end == "rs");
        if counts && path.is_file() && !is_kept_text(&path) {
            files.push(relative.to_owned());
        }
    }
}

/// Whether a file is the text of a helper in a folder of records, which each run may add to.
fn is_kept_text(path: &Path) -> bool {
    let is_hash =
        |stem: &std::ffi::OsStr| stem.len() == 64 && stem.to_string_lossy().chars().all(|c| c.is_ascii_hexdigit());
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|name| name == HELPERS) && path.file_stem().is_some_and(is_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_keeps_in_the_folder_of_its_package_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        let digest = || sources(folder.path()).unwrap();
        write(folder.path(), &[("Cargo.toml", "[package]\nname = \"study\""), ("src/main.rs", "fn main() {}")]);
        let before = digest();
        let kept = format!("experiments/score/helpers/{}.rs", "0a".repeat(32));
        write(folder.path(), &[(&kept, "fn scale() {}"), ("experiments/score/helpers/notes.txt", "")]);
        assert_eq!(digest(), before);
        write(folder.path(), &[("benches/helpers/scale.rs", "fn scale() {}")]);
        assert_ne!(digest(), before, "a source of the same folder name");
    }

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// A workspace of a study with a helper package by path, one inherited, and one that it does not have.
    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("Cargo.lock", ""),
                (
                    "Cargo.toml",
                    "[workspace.dependencies]\ntools = { path = \"tools\" }\nother = { path = \"other\" }\n",
                ),
                (
                    "study/Cargo.toml",
                    "[dependencies]\nnear = { version = \"1\", path = \"../near\" }\ntools.workspace = true\n",
                ),
                ("study/src/main.rs", "fn main() {}"),
                ("study/src/words.txt", "a"),
                ("study/notes.md", "a"),
                ("study/target/x.rs", "a"),
                ("study/.hidden/x.rs", "a"),
                ("study/nested/Cargo.toml", ""),
                ("study/nested/x.rs", "a"),
                ("near/Cargo.toml", "[lib]\npath = \"lib.rs\"\n"),
                ("near/lib.rs", ""),
                ("tools/Cargo.toml", ""),
                ("tools/src/lib.rs", ""),
                ("other/Cargo.toml", ""),
                ("other/src/lib.rs", ""),
            ],
        );
        folder
    }

    #[test]
    fn a_change_of_a_source_changes_the_digest_and_nothing_else_does() {
        let (here, there) = (workspace(), workspace());
        let digest = |folder: &Path| sources(&folder.join("study")).unwrap();
        let first = digest(here.path());
        assert_eq!(first, digest(there.path()), "the place does not count");
        for path in
            ["study/notes.md", "study/target/x.rs", "study/.hidden/x.rs", "study/nested/x.rs", "other/src/lib.rs"]
        {
            write(there.path(), &[(path, "changed")]);
            assert_eq!(first, digest(there.path()), "{path}");
        }
        for path in ["study/src/main.rs", "study/src/words.txt", "near/lib.rs", "tools/src/lib.rs", "study/build.rs"] {
            let there = workspace();
            write(there.path(), &[(path, "changed")]);
            assert_ne!(first, digest(there.path()), "{path}");
        }
        assert_eq!(sources(here.path().join("study/src").as_path()), None);
    }

    #[test]
    fn a_file_is_in_the_nearest_package() {
        let folder = workspace();
        let file = folder.path().join("study/src/main.rs");
        assert_eq!(folder_of(&file).unwrap(), folder.path().join("study"));
        assert_eq!(lock_file(&folder.path().join("study")).unwrap(), folder.path().join("Cargo.lock"));
    }
}
