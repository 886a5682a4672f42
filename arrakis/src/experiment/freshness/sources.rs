//! The sources as they are, read once.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use super::super::code::{Item, items};
use super::super::environment::locked_version;
use super::super::{Record, json, package};
use super::{Assessment, Cause, files};

/// The sources below a folder, the root of a workspace or a package. Each file is read once: make another for a later look.
#[derive(Debug)]
pub struct Sources {
    root: PathBuf,
    /// The version of the compiler.
    rustc: OnceCell<Option<String>>,
    files: RefCell<BTreeMap<String, Option<Rc<File>>>>,
    packages: RefCell<BTreeMap<PathBuf, Rc<Package>>>,
    /// By what is compared.
    known: RefCell<BTreeMap<String, Vec<Cause>>>,
}

/// What the freshness of a record depends on, in short.
pub(in crate::experiment) fn code_of(record: &Record) -> String {
    let model = (&record.model.name, &record.model.commit, &record.model.files);
    json::digest(&format!("{} {:?} {model:?}", key_of_code(record), record.data))[..16].to_owned()
}

fn key_of_code(record: &Record) -> String {
    json::digest(&format!(
        "{} {} {} {:?} {:?} {:?} {:?}",
        record.file, record.function, record.source_hash, record.helpers, record.sources, record.lock, record.versions
    ))
}

/// A file with its functions and constants.
#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
    items: Vec<Item>,
}

/// What a package is made of.
#[derive(Debug, Default)]
struct Package {
    sources: Option<String>,
    lock: Option<String>,
    versions: BTreeMap<&'static str, String>,
}

impl Sources {
    /// The sources below a folder. Nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            rustc: OnceCell::new(),
            files: RefCell::default(),
            packages: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// The same for a program of this compiler, whichever is installed.
    pub fn built_by(root: impl Into<PathBuf>, rustc: &str) -> Self {
        Self { rustc: OnceCell::from(Some(rustc.to_owned())), ..Self::new(root) }
    }

    /// Whether a run of these sources would be a run of the record's code.
    ///
    /// Compared are the tokens of the function and of the helpers that it used, the versions of `rustc`, `burn` and `arrakis`,
    /// the files of the model and those that the run read, and, for what nobody tracks, a digest of all sources of the package.
    pub fn assess(&self, record: &Record) -> Assessment {
        let mut causes = self.code(record);
        causes.extend(files::data(record, &self.root));
        causes.extend(files::model(&record.model, &self.root));
        causes.into()
    }

    /// The same without the model, for a call that has its own.
    pub(in crate::experiment) fn assess_without_model(&self, record: &Record) -> Assessment {
        let mut causes = self.code(record);
        causes.extend(files::data(record, &self.root));
        causes.into()
    }

    /// What was changed of the files that the run read.
    pub(in crate::experiment) fn assess_data(&self, record: &Record) -> Assessment {
        files::data(record, &self.root).into()
    }

    /// What was changed of the code. Looked for once for records of the same code.
    fn code(&self, record: &Record) -> Vec<Cause> {
        let key = key_of_code(record);
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let causes = self.causes(record);
        self.known.borrow_mut().insert(key, causes.clone());
        causes
    }

    fn causes(&self, record: &Record) -> Vec<Cause> {
        let Some(file) = self.file(&record.file) else {
            return vec![self.not_there(&record.file)];
        };
        let mut causes: Vec<Cause> = function(record, &file).into_iter().collect();
        for helper in record.helpers.iter().filter(|helper| helper.line > 0) {
            causes.extend(match self.file(&helper.file) {
                Some(file) => changed(&file, &helper.path, &helper.hash),
                None => Some(self.not_there(&helper.file)),
            });
        }
        let Some(folder) = package::folder_of(&file.path) else { return causes };
        let package = self.package(&folder);
        causes.extend(self.toolchain(record, &package));
        causes.extend(backstop(record, &package));
        causes
    }

    fn not_there(&self, file: &str) -> Cause {
        Cause::NoSources { file: file.to_owned(), root: self.root.display().to_string() }
    }

    fn toolchain(&self, record: &Record, package: &Package) -> Vec<Cause> {
        let now = |part: &str| match part {
            "rustc" => self.rustc.get_or_init(|| rustc(&self.root)).clone(),
            part => package.versions.get(part).cloned(),
        };
        let cause = |(part, before): (&String, &String)| {
            let after = now(part).filter(|after| after != before)?;
            Some(Cause::Toolchain { part: part.clone(), before: before.clone(), after })
        };
        record.versions.iter().filter_map(cause).collect()
    }

    /// A file by the path that the compiler gave it: from the root of the workspace, or from that of the disk.
    fn file(&self, name: &str) -> Option<Rc<File>> {
        if let Some(known) = self.files.borrow().get(name) {
            return known.clone();
        }
        let root = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        let found = root.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file());
        let file = found.and_then(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some(Rc::new(File { items: items(&text), path, text }))
        });
        self.files.borrow_mut().insert(name.to_owned(), file.clone());
        file
    }

    fn package(&self, folder: &Path) -> Rc<Package> {
        let mut packages = self.packages.borrow_mut();
        Rc::clone(packages.entry(folder.to_owned()).or_insert_with(|| Rc::new(Package::of(folder))))
    }
}

impl Package {
    fn of(folder: &Path) -> Self {
        let lock = package::lock_file(folder).and_then(|path| fs::read_to_string(path).ok());
        let version = |part| Some((part, locked_version(lock.as_deref()?, part)?));
        Self {
            sources: package::sources(folder),
            versions: ["arrakis", "burn"].into_iter().filter_map(version).collect(),
            lock: lock.as_deref().map(json::digest),
        }
    }
}

/// Whether the function of a record was changed.
fn function(record: &Record, file: &File) -> Option<Cause> {
    let name = record.function.rsplit("::").next().unwrap_or(&record.function);
    let was = items(&record.source).into_iter().find(|item| item.name == name)?;
    match changed(file, &record.function, &json::digest(&was.tokens))? {
        Cause::Code { path, place, text, .. } => Some(Cause::Code { path, place, text, hash: None }),
        other => Some(other),
    }
}

/// Whether no item of this path's name in a file has these tokens.
fn changed(file: &File, path: &str, hash: &str) -> Option<Cause> {
    let name = path.rsplit("::").next().unwrap_or(path);
    let mut named = file.items.iter().filter(|item| item.name == name).peekable();
    let Some(first) = named.peek().copied() else {
        return Some(Cause::Gone { path: path.to_owned(), file: file.path.display().to_string() });
    };
    if named.any(|item| json::digest(&item.tokens) == hash) {
        return None;
    }
    let (from, to) = first.lines;
    Some(Cause::Code {
        path: path.to_owned(),
        place: format!("{}:{from}-{to}", file.path.display()),
        hash: Some(hash.to_owned()),
        text: first.text(&file.text),
    })
}

fn backstop(record: &Record, package: &Package) -> Vec<Cause> {
    let mut causes = Vec::new();
    match (&record.sources, &package.sources) {
        (None, _) => causes.push(Cause::NoDigest),
        (Some(then), Some(now)) if then == now => {}
        _ => causes.push(Cause::Package(record.package.clone())),
    }
    if record.lock.is_some() && record.lock != package.lock {
        causes.push(Cause::Lock);
    }
    causes
}

/// The version of the compiler that a build below this folder would use. `None` without one.
fn rustc(root: &Path) -> Option<String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("--version").current_dir(root).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::UsedHelper;
    use super::super::super::code::hash;
    use super::super::super::record::tests::record;
    use super::super::Freshness;
    use super::*;

    const STUDY: &str =
        "mod a;\n#[log_experiment]\nfn sweep() {\n    helper(1)\n}\n\n#[tracked]\nfn helper(x: u8) {}\n";

    /// A package, and a record of its function.
    struct Study {
        folder: tempfile::TempDir,
        record: Record,
    }

    impl Study {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("src")).unwrap();
            fs::write(folder.path().join("Cargo.toml"), "").unwrap();
            fs::write(folder.path().join("Cargo.lock"), "[[package]]\nname = \"burn\"\nversion = \"0.22.1\"\n")
                .unwrap();
            fs::write(folder.path().join("src/heads.rs"), STUDY).unwrap();
            let helper = UsedHelper {
                path: "m::helper".into(),
                hash: hash(STUDY, "helper"),
                file: "src/heads.rs".into(),
                line: 8,
            };
            let source = "#[log_experiment]\nfn sweep() { helper(1) }".into();
            let package = Package::of(folder.path());
            let versions = BTreeMap::from([("burn".into(), "0.22.1".into()), ("rustc".into(), "rustc 1".into())]);
            let record = Record {
                file: "src/heads.rs".into(),
                sources: package.sources,
                lock: package.lock,
                helpers: vec![helper],
                source,
                versions,
                ..record(0)
            };
            Self { folder, record }
        }

        fn change(&self, file: &str, from: &str, to: &str) {
            let path = self.folder.path().join(file);
            fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
        }

        /// The freshness and its causes in words, without the folder.
        fn said(&self) -> (Freshness, Vec<String>) {
            let assessment = Sources::built_by(self.folder.path(), "rustc 1").assess(&self.record);
            let folder = format!("{}/", self.folder.path().display());
            let words = assessment.causes.iter().map(|cause| cause.to_string().replace(&folder, ""));
            (assessment.freshness, words.collect())
        }
    }

    const PACKAGE: &str = "a source of `probe` was changed that is not tracked, or was not used";

    #[test]
    fn layout_does_not_matter_and_what_was_used_does() {
        let study = Study::new();
        assert_eq!(study.said(), (Freshness::Fresh, vec![]));
        study.change("src/heads.rs", "fn sweep() {\n", "// A sweep.\nfn sweep()\n{\n");
        assert_eq!(study.said(), (Freshness::Probably, vec![PACKAGE.into()]));
        study.change("src/heads.rs", "x: u8", "x: u16");
        assert_eq!(
            study.said(),
            (Freshness::Stale, vec!["`m::helper` was changed: src/heads.rs:10-10".into(), PACKAGE.into()])
        );
        study.change("src/heads.rs", "fn sweep", "fn swept");
        assert_eq!(study.said().1[0], "`probe::heads::sweep` is not in src/heads.rs any more");
    }

    #[test]
    fn the_toolchain_the_lock_file_and_missing_sources_are_named() {
        let mut study = Study::new();
        study.change("Cargo.lock", "0.22.1", "0.22.2");
        let causes = ["burn was 0.22.1 and is 0.22.2", "Cargo.lock was changed"].map(str::to_owned);
        assert_eq!(study.said(), (Freshness::Stale, causes.into()));
        study.record.versions.clear();
        assert_eq!(study.said(), (Freshness::Probably, vec!["Cargo.lock was changed".into()]));
        (study.record.lock, study.record.sources) = (None, None);
        assert_eq!(
            study.said(),
            (Freshness::Probably, vec!["the record has no digest of its package's sources".into()])
        );
        study.record.file = "src/gone.rs".into();
        let root = study.folder.path().display().to_string();
        assert_eq!(
            study.said(),
            (Freshness::Unverifiable, vec![format!("src/gone.rs is not below {root}; say where with --sources")])
        );
    }
}
