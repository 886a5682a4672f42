//! `arrakis new`: writes a crate for a user, with the profile that makes dev runs fast.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrakis_models::dev_profile::DEV_PROFILE;

use super::Answer;
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to create; its name is the crate's name
    folder: PathBuf,
    /// A checkout of Arrakis to depend on, instead of the one that built this command or the published crate
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

const MAIN: &str = include_str!("new/main.rs");
const GITIGNORE: &str = include_str!("new/gitignore");
const README: &str = include_str!("new/readme.md");

/// Names that cargo or the compiler reserve, in addition to keywords.
const RESERVED: [&str; 10] =
    ["test", "core", "std", "alloc", "proc_macro", "proc-macro", "deps", "build", "examples", "incremental"];

/// Keywords that have the form of a name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

pub(super) fn run(args: &Args) -> Result<Answer> {
    let name = name(&args.folder)?;
    let source = match &args.path {
        Some(path) => Source::Checkout(checkout(path)?),
        None => Source::of_this_command(),
    };
    make(&args.folder, name, &source)?;
    let folder = shell(&args.folder.to_string_lossy());
    let text = format!("created {folder}; next:\n\n    cd {folder}\n    cargo run\n");
    Ok(Answer { text, yes: true })
}

/// The crate's name, checked by cargo's rules.
fn name(folder: &Path) -> Result<&str> {
    let refuse = |problem: String| Err(Error::NewCrate { folder: folder.to_owned(), problem });
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
        return refuse("its name is not a crate name; give a name such as `my-study`".into());
    };
    let wrong = |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_';
    if let Some(c) = name.chars().find(|c| wrong(*c)) {
        refuse(format!("a crate name cannot contain `{c}`; use ASCII letters, digits, `-` and `_`"))
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || name.trim_matches('_').is_empty() {
        refuse(format!("a crate name starts with a letter; try `study-{}`", name.trim_start_matches(['-', '_'])))
    } else if KEYWORDS.contains(&name) || RESERVED.contains(&name) {
        refuse(format!("`{name}` is a reserved word of Rust or cargo; try `{name}-study`"))
    } else if name == "arrakis" || DEV_PROFILE.lines().any(|line| line.starts_with(&format!("{name} = "))) {
        refuse(format!("`{name}` is the name of a dependency; try `{name}-study`"))
    } else {
        Ok(name)
    }
}

/// Where the new crate gets Arrakis from.
enum Source {
    /// The root of a checkout.
    Checkout(PathBuf),
    /// The registry.
    Published,
}

impl Source {
    /// The checkout that built this command, if it still exists.
    fn of_this_command() -> Self {
        checkout(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).map_or(Self::Published, Self::Checkout)
    }

    /// The dependency line of `Cargo.toml`.
    fn dependency(&self) -> String {
        match self {
            Self::Checkout(root) => {
                format!("arrakis = {{ path = {} }}", quoted(&root.join("arrakis").to_string_lossy()))
            }
            Self::Published => format!("arrakis = {}", quoted(env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// The root of a checkout, given the root or the package's folder in it.
fn checkout(path: &Path) -> Result<PathBuf> {
    let is_root =
        |root: &PathBuf| ["arrakis", "models"].iter().all(|part| root.join(part).join("Cargo.toml").is_file());
    let found = path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let places = [Some(found.as_path()), found.parent()];
    let root = places.into_iter().flatten().map(Path::to_owned).find(is_root);
    root.filter(|root| root.to_str().is_some()).ok_or_else(|| Error::NewCrate {
        folder: path.to_owned(),
        problem: "it is not a checkout of Arrakis; give the folder that contains `arrakis/` and `models/`".into(),
    })
}

/// Writes the crate into a temporary folder and renames it, so that a failure leaves nothing half-written.
fn make(folder: &Path, name: &str, source: &Source) -> Result<()> {
    if folder.symlink_metadata().is_ok() {
        let problem = "it already exists; choose another name, or move it away".into();
        return Err(Error::NewCrate { folder: folder.to_owned(), problem });
    }
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let aside = tempfile::Builder::new().prefix(".arrakis-new-").tempdir_in(parent).map_err(failed)?;
    let made = aside.path().join(name);
    write(&made, name, source).map_err(failed)?;
    fs::rename(&made, folder).map_err(failed)
}

fn write(folder: &Path, name: &str, source: &Source) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest(name, source))?;
    fs::write(folder.join("src/main.rs"), MAIN)?;
    fs::write(folder.join(".gitignore"), GITIGNORE)?;
    fs::write(folder.join("README.md"), README.replace("{name}", name))?;
    if let Source::Checkout(root) = source {
        // The versions that Arrakis is tested with; the machine that built it has them.
        match fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn manifest(name: &str, source: &Source) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\n{}\n\n\
         # A workspace of its own, wherever the folder is: cargo reads profiles only from a workspace's root.\n[workspace]\n\n\
         {DEV_PROFILE}",
        source.dependency()
    )
}

/// A TOML string; TOML has JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word quoted for a shell.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:~".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(folder: &Path, path: Option<&str>) -> Result<String> {
        run(&Args { folder: folder.to_owned(), path: path.map(Into::into) }).map(|answer| answer.text)
    }

    /// The names of the entries of a folder.
    fn listed(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_crate_is_written_with_the_profile_and_this_checkout() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("my-study");
        let text = ran(&folder, None).unwrap();
        assert_eq!(text, format!("created {0}; next:\n\n    cd {0}\n    cargo run\n", folder.display()));
        assert_eq!(listed(parent.path()), ["my-study"]);
        assert_eq!(listed(&folder), [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "src"]);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
        assert!(manifest.contains(&format!("\narrakis = {{ path = \"{}\" }}\n", root.display())), "{manifest}");
        assert!(
            manifest.starts_with("[package]\nname = \"my-study\"\n") && manifest.ends_with(DEV_PROFILE),
            "{manifest}"
        );
        assert!(fs::read_to_string(folder.join("README.md")).unwrap().starts_with("# my-study\n"));
    }

    #[test]
    fn the_published_crate_is_named_by_its_version() {
        let line = format!("\n[dependencies]\narrakis = \"{}\"\n", env!("CARGO_PKG_VERSION"));
        assert!(manifest("a", &Source::Published).contains(&line));
    }

    #[test]
    fn the_profile_is_that_of_the_workspace() {
        let workspace = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
        assert!(
            workspace.ends_with(&format!("\n{DEV_PROFILE}")),
            "copy models/dev-profile.toml to the end of Cargo.toml"
        );
        let others = workspace.strip_suffix(DEV_PROFILE).unwrap().lines().filter(|line| line.starts_with("[profile"));
        assert_eq!(
            others.collect::<Vec<_>>(),
            ["[profile.dev.package.arrakis-recipe]"],
            "a setting that does not apply to a user's crate"
        );
    }

    #[test]
    fn names_that_cargo_refuses_are_refused_with_a_name_that_it_accepts() {
        let parent = tempfile::tempdir().unwrap();
        for (name, problem) in [
            ("my study", "a crate name cannot contain ` `; use ASCII letters, digits, `-` and `_`"),
            ("größe", "a crate name cannot contain `ö`; use ASCII letters, digits, `-` and `_`"),
            ("4heads", "a crate name starts with a letter; try `study-4heads`"),
            ("fn", "`fn` is a reserved word of Rust or cargo; try `fn-study`"),
            ("test", "`test` is a reserved word of Rust or cargo; try `test-study`"),
            ("arrakis", "`arrakis` is the name of a dependency; try `arrakis-study`"),
            ("gemm", "`gemm` is the name of a dependency; try `gemm-study`"),
            ("..", "its name is not a crate name; give a name such as `my-study`"),
        ] {
            let folder = parent.path().join(name);
            let error = ran(&folder, None).unwrap_err().to_string();
            assert_eq!(error, format!("cannot make the crate `{}`: {problem}", folder.display()));
        }
        assert!(listed(parent.path()).is_empty());
    }

    #[test]
    fn an_existing_folder_is_not_changed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("study");
        fs::create_dir(&folder).unwrap();
        let error = ran(&folder, None).unwrap_err().to_string();
        assert!(error.ends_with("it already exists; choose another name, or move it away"), "{error}");
        assert!(listed(&folder).is_empty() && listed(parent.path()) == ["study"]);
    }

    #[test]
    fn an_unwritable_place_is_named_and_nothing_is_left() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("file"), "").unwrap();
        for place in ["absent/study", "file/study"] {
            let folder = parent.path().join(place);
            let error = ran(&folder, None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot write `{}`: ", folder.display())), "{error}");
        }
        assert_eq!(listed(parent.path()), ["file"]);
    }

    #[test]
    fn a_path_must_be_a_checkout() {
        let parent = tempfile::tempdir().unwrap();
        let here = parent.path().to_str().unwrap();
        let error = ran(&parent.path().join("study"), Some(here)).unwrap_err().to_string();
        let problem = "it is not a checkout of Arrakis; give the folder that contains `arrakis/` and `models/`";
        assert_eq!(error, format!("cannot make the crate `{here}`: {problem}"));
        assert!(ran(&parent.path().join("study"), Some(env!("CARGO_MANIFEST_DIR"))).is_ok());
    }

    #[test]
    fn words_for_a_shell_and_for_toml_are_quoted_where_needed() {
        assert_eq!((shell("a/b-c"), shell("it's here")), ("a/b-c".to_owned(), "'it'\\''s here'".to_owned()));
        assert_eq!(quoted(r#"C:\a "b""#), r#""C:\\a \"b\"""#);
    }
}
