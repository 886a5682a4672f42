//! How a run was started, so that it can be started again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::secrets::without_secrets;

/// A target of cargo, by the place of its executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A binary of a package.
    Bin,
    /// An example.
    Example,
    /// Tests or benches: of the library, of a binary, or a target of their own.
    Test,
}

/// The program that a run was in, and how it was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The name of the target: `study`, `laws`.
    pub program: String,
    /// What cargo builds it as.
    pub target: Target,
    /// The folder of cargo's profile: `debug`, `release`.
    pub profile: String,
    /// The package, if cargo started the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Its arguments. One that looks like a secret is `***`.
    pub arguments: Vec<String>,
    /// The test that the run was in, if it was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The folder that it ran in, from the root of the git work tree if it is in there.
    pub folder: String,
}

impl Launch {
    /// How this program was started. `root` is that of the work tree. `None` for a program that cargo did not build, and for the
    /// test of a doc comment.
    pub(super) fn of_this_program(root: Option<&Path>) -> Option<Self> {
        let (program, target, profile) = built(&std::env::current_exe().ok()?)?;
        let folder = std::env::current_dir().ok()?;
        let inside = root.and_then(|root| folder.strip_prefix(root.canonicalize().ok()?).ok().map(Path::to_owned));
        Some(Self {
            program,
            target,
            profile,
            package: std::env::var("CARGO_PKG_NAME").ok(),
            arguments: without_secrets(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into())),
            test: None,
            folder: inside.unwrap_or(folder).to_string_lossy().into(),
        })
    }

    /// With the test that runs on this thread: the harness names its threads after them.
    pub(super) fn here(self) -> Self {
        let thread = std::thread::current();
        let name = thread.name().filter(|name| self.target == Target::Test && *name != "main");
        Self { test: name.map(str::to_owned), ..self }
    }
}

/// Name, target and profile of an executable in a target folder of cargo.
fn built(executable: &Path) -> Option<(String, Target, String)> {
    let stem = executable.file_stem()?.to_str()?.to_owned();
    let folder = executable.parent()?;
    let profile = |folder: &Path| Some(folder.file_name()?.to_str()?.to_owned());
    let above = || folder.parent().map(PathBuf::from);
    match folder.file_name()?.to_str()? {
        "examples" => Some((stem, Target::Example, profile(&above()?)?)),
        "deps" => {
            let (name, hash) = stem.rsplit_once('-')?;
            let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then_some((name.to_owned(), Target::Test, profile(&above()?)?))
        }
        _ if folder.join("deps").is_dir() => Some((stem, Target::Bin, profile(folder)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_known_by_the_place_of_its_executable() {
        let folder = tempfile::tempdir().unwrap();
        let debug = folder.path().join("target/debug");
        std::fs::create_dir_all(debug.join("deps")).unwrap();
        let of = |path: &str| built(&debug.join(path));
        let debug_of = |name: &str, target| Some((name.to_owned(), target, "debug".to_owned()));
        assert_eq!(of("my-study"), debug_of("my-study", Target::Bin));
        assert_eq!(of("examples/first"), debug_of("first", Target::Example));
        assert_eq!(of("deps/laws-0123456789abcdef"), debug_of("laws", Target::Test));
        assert_eq!(of("deps/laws"), None);
        assert_eq!(built(Path::new("/tmp/rustdoctest/rust_out")), None);
        assert_eq!(built(Path::new("/usr/bin/python3")), None);
    }

    #[test]
    fn this_test_knows_how_to_start_itself() {
        let launch = Launch::of_this_program(None).unwrap().here();
        assert_eq!((launch.program.as_str(), launch.target), ("arrakis", Target::Test));
        let this = "experiment::launch::tests::this_test_knows_how_to_start_itself";
        // Without threads, every test is on the main one.
        assert!(launch.test.as_deref().is_none_or(|test| test == this), "{launch:?}");
        assert_eq!(launch.folder, std::env::current_dir().unwrap().to_string_lossy());
    }
}
