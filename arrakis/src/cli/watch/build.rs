//! Builds the program with cargo, and learns where it is and what it was made from.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::args::Args;
use super::say::failed;
use crate::error::Result;

/// What to build.
pub(super) struct Build<'a> {
    pub(super) args: &'a Args,
}

/// A program that was built.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Built {
    pub(super) program: PathBuf,
    /// Every file that it was made from.
    pub(super) sources: Vec<PathBuf>,
}

impl Build<'_> {
    /// `None` if the source has errors; the compiler has said which.
    pub(super) fn run(&self) -> Result<Option<Built>> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(&cargo);
        command.args(self.arguments()).stdin(Stdio::null()).stderr(Stdio::inherit());
        let done = command.output().map_err(|error| failed(&format!("cannot run `{}`: {error}", cargo.display())))?;
        if !done.status.success() {
            return Ok(None);
        }
        let program = only_program(&String::from_utf8_lossy(&done.stdout)).map_err(|problem| failed(&problem))?;
        let listed = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
        Ok(Some(Built { program, sources: listed_sources(&listed) }))
    }

    fn arguments(&self) -> Vec<String> {
        let mut all: Vec<String> =
            ["build", "--quiet", "--message-format=json-render-diagnostics"].map(Into::into).into();
        let Args { bin, example, package, features, release, .. } = self.args;
        for (option, value) in
            [("--bin", bin), ("--example", example), ("--package", package), ("--features", features)]
        {
            all.extend(value.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        if bin.is_none() && example.is_none() {
            all.push("--bins".into());
        }
        all.extend(release.then(|| "--release".to_owned()));
        all
    }
}

/// The program among cargo's messages.
fn only_program(messages: &str) -> Result<PathBuf, String> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs: Vec<(String, PathBuf)> = artifacts
        .filter_map(|one| {
            let path = one.get("executable")?.as_str()?.into();
            Some((one["target"]["name"].as_str().unwrap_or_default().to_owned(), path))
        })
        .collect();
    match programs.as_slice() {
        [(_, path)] => Ok(path.clone()),
        [] => Err("the package has no binary; give `--example NAME`, or add `src/main.rs`".into()),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("the package has several binaries; give `--bin` with one of: {}", names.join(", ")))
        }
    }
}

/// The sources in the file that cargo writes beside a program: `PROGRAM: SOURCE SOURCE ..`, spaces escaped.
fn listed_sources(text: &str) -> Vec<PathBuf> {
    let Some((_, sources)) = text.lines().next().and_then(|line| line.split_once(": ")) else { return own_sources() };
    let mut paths = vec![String::new()];
    let mut characters = sources.chars();
    while let Some(c) = characters.next() {
        let last = paths.last_mut().expect("BUG: it starts with one");
        match c {
            '\\' if characters.as_str().starts_with(' ') => last.extend(characters.next()),
            ' ' => paths.push(String::new()),
            c => last.push(c),
        }
    }
    let listed = paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from);
    listed.chain([PathBuf::from("Cargo.toml")]).collect()
}

/// The sources of the package here, for a program that has never been built.
pub(super) fn own_sources() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = vec![PathBuf::from("Cargo.toml")];
    for folder in ["src", "examples"] {
        below(Path::new(folder), &mut found);
    }
    found
}

/// Where a program looks for the libraries that cargo built with it.
pub(super) fn library_path(program: &Path) -> Option<(&'static str, OsString)> {
    let variable = if cfg!(windows) {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_FALLBACK_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let folder = program.parent()?;
    let before = env::var_os(variable).unwrap_or_default();
    let built = [folder.to_owned(), folder.join("deps")];
    let paths = built.into_iter().chain(standard_library().cloned()).chain(env::split_paths(&before));
    Some((variable, env::join_paths(paths).ok()?))
}

/// Where the compiler's shared standard library is.
fn standard_library() -> Option<&'static PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let look = || {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = Command::new(rustc).args(["--print", "target-libdir"]).output().ok()?;
        Some(String::from_utf8(said.stdout).ok()?.trim().into())
    };
    FOUND.get_or_init(look).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_asked_for_the_program_that_was_named() {
        let arguments = |args: Args| Build { args: &args }.arguments().split_off(3).join(" ");
        assert_eq!(arguments(Args::default()), "--bins");
        let named = |name: &str| Some(name.to_owned());
        let args =
            Args { example: named("e"), package: named("p"), features: named("f"), release: true, ..Args::default() };
        assert_eq!(arguments(args), "--example e --package p --features f --release");
    }

    #[test]
    fn the_program_is_the_only_executable() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"l"},"executable":null}"#;
        let program = |name: &str| {
            format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":"/t/{name}"}}"#)
        };
        let of = |lines: &[&str]| only_program(&lines.join("\n"));
        assert_eq!(of(&[library, &program("a"), r#"{"reason":"build-finished","success":true}"#]), Ok("/t/a".into()));
        let several = of(&[&program("a"), &program("b")]).unwrap_err();
        assert_eq!(several, "the package has several binaries; give `--bin` with one of: a, b");
        assert_eq!(
            of(&[library]).unwrap_err(),
            "the package has no binary; give `--example NAME`, or add `src/main.rs`"
        );
    }

    #[test]
    fn a_program_finds_the_libraries_beside_it_and_the_standard_library() {
        let (_, paths) = library_path(Path::new("/t/debug/a")).unwrap();
        let paths: Vec<PathBuf> = env::split_paths(&paths).collect();
        assert_eq!(paths[..2], ["/t/debug", "/t/debug/deps"].map(PathBuf::from));
        let holds_std = |folder: &PathBuf| {
            let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        };
        assert!(paths.iter().any(holds_std), "{paths:?}");
    }

    #[test]
    fn sources_with_spaces_are_read() {
        let listed = listed_sources("/t/a b: /s/main.rs /s/my\\ file.rs /s/c\\d.rs\n");
        assert_eq!(listed, ["/s/main.rs", "/s/my file.rs", "/s/c\\d.rs", "Cargo.toml"].map(PathBuf::from));
        assert!(listed_sources("").contains(&PathBuf::from("src/lib.rs")), "those of this package");
    }
}
