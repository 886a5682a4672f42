//! A folder of records: one folder per experiment, one write-once JSON file per run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use arrakis_models::files;
use arrakis_models::ground::nearest::nearest_alike;
use arrakis_models::ground::watcher::{Message, Watcher};

use super::json::Blobs;
use super::place::answers_to;
use super::remote::Far;
use super::{Problem, Record, State, UsedHelper, Version, json, program, state};
use crate::error::{Error, Result};

/// The folders of the texts of helpers and of the states of work trees, beside the records.
pub(super) const HELPERS: &str = "helpers";
pub(super) const STATES: &str = "states";

/// The records below a folder, and the place behind it if it has one.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) folder: PathBuf,
    pub(super) far: Option<Far>,
}

/// A file among the records that cannot be read as one. It is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub problem: Problem,
}

/// The records of one experiment, oldest first, and the files that could not be read as such.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The records.
    pub records: Vec<Record>,
    /// The other files.
    pub unreadable: Vec<Unreadable>,
}

impl Store {
    /// The store in a folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), far: None }
    }

    /// The store in another folder, with the same place behind it.
    #[must_use]
    pub(crate) fn in_folder(self, folder: PathBuf) -> Self {
        Self { folder, ..self }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of an experiment's records.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.join(file_name(name))
    }

    /// Writes a record under a temporary name, then renames it. An existing file is never touched. It is then sent to the place behind the
    /// folder.
    ///
    /// # Errors
    ///
    /// [`Error::RecordRescued`] if the folder cannot be written: the record is then in the temporary folder.
    /// [`Error::Write`], of the folder, if that cannot be written either. [`Error::NotSent`] if the record is in the folder alone.
    pub(crate) fn write(&self, record: &Record) -> Result<PathBuf> {
        let folder = self.folder_of(&record.name);
        let text = format!("{:#}\n", record.to_json());
        let written = self.mark(record).and_then(|()| write_new(&folder, record, &text));
        let path = written.map_err(|source| match rescue(record, &text) {
            Ok(kept) => Error::RecordRescued { folder, kept, source },
            Err(_) => Error::Write { path: folder, source },
        })?;
        if let Some(watcher) = Watcher::of_this_program() {
            watcher.ask(&Message::Record { path: path.clone() });
        }
        self.send(record, "the record")?;
        Ok(path)
    }

    /// The names of all experiments, sorted. Folders that begin with a dot are of something else.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the folder exists but cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for path in entries(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            names.extend(name.filter(|name| !name.starts_with('.')));
        }
        Ok(names.into_iter().collect())
    }

    /// Every run in the folder of an experiment, whichever function it is of.
    pub(super) fn every_run(&self, name: &str) -> Result<Runs> {
        read_folder(&self.folder_of(name))
    }

    /// The files of an experiment that should be records, sorted.
    pub(super) fn files(&self, name: &str) -> Result<Vec<PathBuf>> {
        record_files(&self.folder_of(name))
    }

    /// The text of a helper that a record used, as it was then. `None` if it is not in the store.
    pub fn helper_text(&self, record: &Record, helper: &UsedHelper) -> Option<String> {
        fs::read_to_string(text_path(&self.folder_of(&record.name), &helper.hash)).ok()
    }

    /// What the sources of a record had besides the commit. `None` if there was nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] if it is not in the store, or was changed.
    pub fn state(&self, record: &Record) -> Result<Option<State>> {
        let Some(digest) = record.git.as_ref().and_then(|git| git.state.as_ref()) else { return Ok(None) };
        let path = state_path(&self.folder_of(&record.name), digest);
        let refuse = |problem: &str| Error::Value {
            of: "Store::state",
            problem: format!("the changes of the sources, `{}`, {problem}", path.display()),
        };
        let text = fs::read_to_string(&path).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if json::digest(&text) != *digest {
            return Err(refuse("were changed after they were written; restore the file"));
        }
        serde_json::from_str(&text).map(Some).map_err(|error| refuse(&format!("are of another program: {error}")))
    }

    /// Reads a file as a record.
    pub(super) fn read(path: &Path) -> Result<Record, Problem> {
        read(path)
    }

    /// Every run of every experiment, by the names of the experiments, oldest first within one.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a folder cannot be read.
    pub fn all(&self) -> Result<Runs> {
        let mut all = Runs::default();
        for name in self.names()? {
            let runs = self.every_run(&name)?;
            all.records.extend(runs.records);
            all.unreadable.extend(runs.unreadable);
        }
        Ok(all)
    }

    /// Every run of an experiment, by its name, or by its function's path or the end of it: `Sweep::run`.
    ///
    /// A name means a function of this program first: one in a crate whose experiments it called, or in the crate that
    /// its executable is named after. Otherwise it means the only function of that name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExperiment`] naming the nearest, [`Error::AmbiguousExperiment`] if two functions of the program
    /// have the name, or none of its own and two others, and [`Error::Read`].
    pub fn runs(&self, asked: &str) -> Result<Runs> {
        let name = asked.rsplit("::").next().unwrap_or(asked);
        let mut runs = read_folder(&self.folder_of(name))?;
        let Runs { records, unreadable } = &mut runs;
        self.keep_meant(asked, records, unreadable, |record| {
            (record.function.as_str().into(), record.name.as_str().into())
        })?;
        Ok(runs)
    }

    /// Keeps the runs of the function that is meant. `of` is the function's path and the experiment's name.
    pub(super) fn keep_meant<T>(
        &self,
        asked: &str,
        runs: &mut Vec<T>,
        unreadable: &[Unreadable],
        of: impl for<'a> Fn(&'a T) -> (Cow<'a, str>, Cow<'a, str>),
    ) -> Result<()> {
        if runs.iter().any(|run| of(run).0 == asked) {
            runs.retain(|run| of(run).0 == asked);
        } else {
            if asked.contains("::") {
                runs.retain(|run| answers_to(&of(run).0, asked));
            }
            program::keep_the_one_meant(asked, runs, &program::own_crates(), of)?;
        }
        if runs.is_empty() && unreadable.is_empty() {
            let nearest = nearest(asked.rsplit("::").next().unwrap_or(asked), &self.names()?);
            return Err(Error::UnknownExperiment { asked: asked.to_owned(), folder: self.folder.clone(), nearest });
        }
        Ok(())
    }
}

impl Runs {
    /// The distinct versions, by their first run.
    pub fn versions(&self) -> Vec<Version> {
        let mut seen = BTreeSet::new();
        let versions = self.records.iter().map(|record| record.version.clone());
        versions.filter(|version| seen.insert(version.clone())).collect()
    }

    /// The runs of one version, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownVersion`] naming the nearest, [`Error::BadRecord`] if a file of the version cannot be read.
    pub fn of_version(self, experiment: &str, version: &str) -> Result<Vec<Record>> {
        let versions = self.versions();
        let found: Vec<Record> = self.records.into_iter().filter(|record| record.version.as_ref() == version).collect();
        if found.is_empty() {
            return Err(without_version(experiment, version, &versions, self.unreadable));
        }
        Ok(found)
    }
}

/// The error for a version that no run has.
pub(super) fn without_version(
    experiment: &str,
    version: &str,
    versions: &[impl AsRef<str>],
    unreadable: Vec<Unreadable>,
) -> Error {
    let of_version =
        |file: &Unreadable| file.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(version));
    match unreadable.into_iter().find(of_version) {
        Some(file) => Error::BadRecord { path: file.path, problem: file.problem.to_string() },
        None => Error::UnknownVersion {
            experiment: experiment.to_owned(),
            asked: version.to_owned(),
            nearest: nearest(version, versions),
        },
    }
}

/// Writes the large arrays of a record, then the record.
fn write_new(folder: &Path, record: &Record, text: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    record.blobs.save(folder)?;
    save_texts(record, folder)?;
    let path = folder.join(format!("{}.json", record.id));
    files::write_new(&path, text.as_bytes())?;
    Ok(path)
}

/// Writes the texts of helpers and the state of the work tree that are not there yet, named by their hashes.
fn save_texts(record: &Record, folder: &Path) -> std::io::Result<()> {
    let texts = record.texts.iter().map(|(hash, text)| (text_path(folder, hash), &**text));
    let digest = record.git.as_ref().and_then(|git| git.state.as_deref());
    let state = digest.and_then(|digest| Some((state_path(folder, digest), state::text(digest)?)));
    for (path, text) in texts.chain(state.as_ref().map(|(path, text)| (path.clone(), &**text))) {
        if path.exists() {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        match files::write_new(&path, text.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            written => written?,
        }
    }
    Ok(())
}

fn text_path(folder: &Path, hash: &str) -> PathBuf {
    folder.join(HELPERS).join(format!("{hash}.rs"))
}

fn state_path(folder: &Path, digest: &str) -> PathBuf {
    folder.join(STATES).join(format!("{digest}.json"))
}

/// Writes a record into the temporary folder; into a new folder there if the usual one belongs to another user.
fn rescue(record: &Record, text: &str) -> std::io::Result<PathBuf> {
    let name = file_name(&record.name);
    let usual = std::env::temp_dir().join("arrakis-rescued").join(&name);
    write_new(&usual, record, text).or_else(|_| {
        let own = tempfile::Builder::new().prefix("arrakis-rescued-").tempdir()?.keep();
        write_new(&own.join(name), record, text)
    })
}

/// File names consist of letters, digits, `_`, `-` and `.`.
pub(crate) fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }
    };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with('.') || name.is_empty() { format!("_{name}") } else { name }
}

fn read_folder(folder: &Path) -> Result<Runs> {
    let mut runs = Runs::default();
    for path in record_files(folder)? {
        match read(&path) {
            Ok(record) => runs.records.push(record),
            Err(problem) => runs.unreadable.push(Unreadable { path, problem }),
        }
    }
    runs.records.sort_by(|a, b| (&a.started, &a.id).cmp(&(&b.started, &b.id)));
    Ok(runs)
}

/// Files that should be records. A file that is being written begins with a dot.
fn record_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let is_record = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json") && path.is_file();
    Ok(entries(folder)?.into_iter().filter(|path| is_record(path) && !hidden(path)).collect())
}

fn read(path: &Path) -> Result<Record, Problem> {
    let text = fs::read_to_string(path).map_err(|error| Problem::not_a_record(&error))?;
    let json = serde_json::from_str(&text).map_err(|error| Problem::not_a_record(&error))?;
    let blobs = Blobs::beside(path.parent().unwrap_or(path));
    Ok(Record { blobs, ..Record::from_json(&json)? })
}

/// The paths in a folder, sorted; empty if the folder does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |source| Error::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>().map_err(read)?;
    paths.sort();
    Ok(paths)
}

/// The name that starts with the given text, such as a shortened version; otherwise the most similar name, if one is
/// similar.
fn nearest(asked: &str, known: &[impl AsRef<str>]) -> Option<String> {
    let mut names = known.iter().map(AsRef::as_ref);
    if let Some(longer) = names.find(|name| !asked.is_empty() && name.starts_with(asked)) {
        return Some(longer.to_owned());
    }
    nearest_alike(asked, known, 0.3)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::super::testing::store;
    use super::*;

    #[test]
    fn every_run_is_kept_and_versions_are_oldest_first() {
        let (_folder, store) = store();
        let records: Vec<Record> = [0, 1, 0].map(|layer| record(layer).sealed()).into();
        for record in &records {
            store.write(record).unwrap();
        }
        let runs = store.runs("sweep").unwrap();
        assert_eq!(runs.records, records);
        assert_eq!(runs.versions(), [records[0].version.clone(), records[1].version.clone()]);
        assert_eq!(store.runs("probe::heads::sweep").unwrap().records.len(), 3);
        assert_eq!(store.all().unwrap().records, records);
        assert_eq!(runs.of_version("sweep", records[0].version.as_ref()).unwrap().len(), 2);
    }

    #[test]
    fn a_written_record_is_never_overwritten() {
        let (_folder, store) = store();
        let record = record(0).sealed();
        let path = store.write(&record).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        let again = store.write(&Record { seed: 9, ..record }).unwrap_err();
        assert!(matches!(&again, Error::RecordRescued { kept, .. } if kept.is_file()), "{again}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn a_bad_file_is_reported_and_changes_nothing() {
        let (_folder, store) = store();
        let good = record(0).sealed();
        store.write(&good).unwrap();
        let changed = store.write(&record(1).sealed()).unwrap();
        fs::write(&changed, fs::read_to_string(&changed).unwrap().replace("\"seed\": 0", "\"seed\": 1")).unwrap();
        fs::write(store.folder_of("sweep").join("half.json"), "{\"id\": ").unwrap();
        let runs = store.runs("sweep").unwrap();
        assert_eq!(runs.records, [good]);
        let problems: Vec<&Problem> = runs.unreadable.iter().map(|file| &file.problem).collect();
        assert_eq!(problems.len(), 2);
        assert!(problems.contains(&&Problem::Changed), "{problems:?}");
    }

    #[test]
    fn a_newer_record_is_named_as_such_and_left_alone() {
        let (_folder, store) = store();
        let record = record(0).sealed();
        let path = store.write(&record).unwrap();
        let newer = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
        fs::write(&path, &newer).unwrap();
        let error = store.runs("sweep").unwrap().of_version("sweep", record.version.as_ref()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot read the record `{}`: it has format 2, newer than this program's format 1; update Arrakis to read it",
                path.display()
            )
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    }

    #[test]
    fn unknown_names_suggest_the_nearest() {
        let (folder, store) = store();
        store.write(&record(0).sealed()).unwrap();
        let error = store.runs("swep").unwrap_err().to_string();
        assert_eq!(error, format!("no experiment `swep` in `{}`; did you mean `sweep`?", folder.path().display()));
        let error = store.runs("sweep").unwrap().of_version("sweep", "0123").unwrap_err().to_string();
        assert!(error.starts_with("`sweep` has no version `0123`"), "{error}");
        let version = &store.runs("sweep").unwrap().versions()[0];
        let error = store.runs("sweep").unwrap().of_version("sweep", &version.as_ref()[..4]).unwrap_err().to_string();
        assert!(error.ends_with(&format!("; did you mean `{version}`?")), "{error}");
    }

    #[test]
    fn a_name_two_functions_share_asks_for_the_path() {
        let (_folder, store) = store();
        store.write(&record(0).sealed()).unwrap();
        let other = Record { function: "other::sweep".into(), ..record(1) };
        store.write(&other.with_version().sealed()).unwrap();
        let error = store.runs("sweep").unwrap_err().to_string();
        assert_eq!(error, "`sweep` names 2 functions: other::sweep, probe::heads::sweep; ask for one by its full path");
        assert_eq!(store.runs("other::sweep").unwrap().records.len(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_and_the_record_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("blocked");
        fs::write(&blocked, "a file, not a folder").unwrap();
        let record = record(0).sealed();
        let error = Store::new(&blocked).write(&record).unwrap_err();
        let Error::RecordRescued { kept, .. } = &error else { panic!("{error}") };
        assert_eq!(read(kept).unwrap(), record);
        assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
        fs::remove_file(kept).unwrap();
    }

    #[test]
    fn names_are_safe_for_files() {
        assert_eq!(["a/b", "..", "name mover", "x_1"].map(file_name), ["a_b", "_..", "name_mover", "x_1"]);
    }
}
