//! An index of the records of an experiment, so that a question does not read every file.
//!
//! It is a cache on the local disk, also of a store in a shared folder: two files of lines that are only ever appended to. Any
//! number of processes read and write them at once. What two of them append is there twice and counts once; a torn line has a
//! wrong sum and its record is read again. Without an index, with an old one or with a foreign one the answers are the same.
//! A third file has the versions alone, for a folder that did not change since.

mod head;
mod line;
mod summary;

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrakis_models::ground::cache;
pub(crate) use head::{Head, names};
pub(super) use summary::Summary;

use super::{Store, Unreadable, json};
use crate::error::Result;

/// Fewer records than this are read one by one.
const WORTH_IT: usize = 200;

/// A folder that was changed later than this before it was read may change again without a sign.
const SETTLED: Duration = Duration::from_secs(2);

/// A folder of the cache younger than this may be in the making.
pub(super) const YOUNG: Duration = Duration::from_hours(1);

/// The files of lines.
const RUNS: &str = "runs";
const VALUES: &str = "values";

/// The file that names the folder of the records.
const OF: &str = "of";

/// The records of an experiment, without what is only in their files.
#[derive(Debug, Default)]
pub(crate) struct Index {
    local: Option<PathBuf>,
    heads: String,
    /// The lines of values, read when they are needed.
    values: OnceCell<String>,
    /// Those that are not in the file yet.
    new_values: String,
    /// The state of the folder that it is of, if a later change would be seen.
    stamp: Option<String>,
    /// Files that are not records.
    pub(crate) unreadable: Vec<Unreadable>,
}

impl Store {
    /// The records of an experiment by name.
    pub(super) fn index(&self, name: &str) -> Result<Index> {
        Index::of(self, name, self.local(name).as_deref(), WORTH_IT)
    }

    /// The path of a record of an experiment.
    pub(super) fn path_of(&self, name: &str, stem: &str) -> PathBuf {
        self.folder_of(name).join(format!("{stem}.json"))
    }

    /// The versions of an experiment, and the files that are not records.
    pub(super) fn summary(&self, name: &str) -> Result<(Summary, Vec<Unreadable>)> {
        self.summary_in(name, self.local(name).as_deref(), WORTH_IT)
    }

    fn summary_in(&self, name: &str, local: Option<&Path>, worth_it: usize) -> Result<(Summary, Vec<Unreadable>)> {
        let stamp = changed(&self.folder_of(name)).map(stamp_of);
        if let Some(summary) = local.zip(stamp).and_then(|(local, stamp)| Summary::read(local, &stamp)) {
            return Ok((summary, Vec::new()));
        }
        let index = Index::of(self, name, local, worth_it)?;
        let summary = Summary::of(&index.heads());
        if let Some((local, stamp)) = local.zip(index.stamp.as_ref()) {
            summary.write(local, stamp);
        }
        Ok((summary, index.unreadable))
    }

    /// The folder of the index.
    fn local(&self, name: &str) -> Option<PathBuf> {
        Some(folder()?.join(key(&self.folder_of(name))))
    }
}

/// The folder of all indexes.
fn folder() -> Option<PathBuf> {
    cache::folder().map(|folder| folder.join("index"))
}

/// The indexes of folders that are not there any more, and those of older programs.
pub(super) fn orphans() -> Vec<PathBuf> {
    folder().map_or_else(Vec::new, |folder| orphans_in(&folder, YOUNG))
}

/// The folders that say they are of a folder that is gone, or of none, and did not change for this long.
pub(super) fn orphans_in(folder: &Path, young: Duration) -> Vec<PathBuf> {
    let is_old = |local: &PathBuf| {
        let age = fs::metadata(local).ok()?.modified().ok()?.elapsed().ok()?;
        Some(local.is_dir() && age >= young)
    };
    let is_orphan = |local: &PathBuf| {
        let of = fs::read_to_string(local.join(OF)).unwrap_or_default();
        is_old(local) == Some(true) && (of.is_empty() || !Path::new(&of).is_dir())
    };
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_orphan).collect();
    found.sort();
    found
}

impl Index {
    fn of(store: &Store, name: &str, local: Option<&Path>, worth_it: usize) -> Result<Self> {
        let folder = store.folder_of(name);
        let changed = changed(&folder);
        let mut index = local.map(Self::load).unwrap_or_default();
        let stamp = changed.map(stamp_of);
        if stamp.as_ref().is_some_and(|stamp| index.heads.ends_with(stamp.as_str())) {
            return Ok(Self { stamp, ..index });
        }
        let settled = changed.is_some_and(is_settled);
        let stems: Vec<String> = store.files(name)?.iter().filter_map(|path| stem(path)).collect();
        let local = local.filter(|_| stems.len() >= worth_it);
        if index.forget_others(&stems)
            && let Some(local) = local
        {
            drop(fs::remove_dir_all(local));
            drop(append(local, &folder, &index.heads, index.stored_values()));
        }
        let (mut heads, values) = index.read_new(store, name, &stems);
        if settled && index.unreadable.is_empty() {
            heads += stamp.as_deref().unwrap_or_default();
            index.stamp = stamp.filter(|_| local.is_some());
        }
        if let Some(local) = local {
            // An index that cannot be written costs time and nothing else.
            drop(append(local, &folder, &heads, &values));
        }
        // The last line may be torn.
        index.heads.push('\n');
        index.heads.push_str(&heads);
        index.new_values = values;
        Ok(index)
    }

    fn load(local: &Path) -> Self {
        Self { heads: text(local, RUNS), local: Some(local.to_owned()), ..Self::default() }
    }

    fn stored_values(&self) -> &str {
        self.values.get_or_init(|| self.local.as_deref().map(|local| text(local, VALUES)).unwrap_or_default())
    }

    /// Drops the lines of records that are not there any more. Returns whether there were any.
    fn forget_others(&mut self, stems: &[String]) -> bool {
        let there: HashSet<&str> = stems.iter().map(String::as_str).collect();
        let all_there = self.lines().all(|head| there.contains(head.stem));
        if !all_there {
            let stays = |stem: Option<&str>| stem.is_some_and(|stem| there.contains(stem));
            let heads = self.heads.lines().filter(|line| stays(Head::read(line).map(|head| head.stem)));
            let values = self.stored_values().lines();
            let values = values.filter(|line| stays(head::of_values(line).map(|(stem, _)| stem)));
            let (heads, values) = (with_newlines(heads), with_newlines(values));
            (self.heads, self.values) = (heads, OnceCell::from(values));
        }
        !all_there
    }

    /// The lines of records that have none yet, oldest first, so that the lines are nearly in order.
    fn read_new(&mut self, store: &Store, name: &str, stems: &[String]) -> (String, String) {
        let known: HashSet<String> = self.lines().map(|head| head.stem.to_owned()).collect();
        let mut new: Vec<(String, String, String)> = Vec::new();
        for stem in stems.iter().filter(|stem| !known.contains(*stem)) {
            let path = store.path_of(name, stem);
            match Store::read(&path) {
                Ok(record) => {
                    let (head, values) = (Head::written(stem, &record), head::values(stem, &record));
                    new.push((record.started, head, values));
                }
                Err(problem) => self.unreadable.push(Unreadable { path, problem }),
            }
        }
        new.sort();
        new.into_iter().map(|(_, head, values)| (head, values)).unzip()
    }

    fn lines(&self) -> impl Iterator<Item = Head<'_>> {
        self.heads.lines().filter_map(Head::read)
    }

    /// The heads of the records, oldest first.
    pub(crate) fn heads(&self) -> Vec<Head<'_>> {
        let mut heads: Vec<Head<'_>> = self.lines().collect();
        heads.sort_by_key(|head| (head.started, head.stem));
        heads.dedup_by_key(|head| head.stem);
        heads
    }

    /// The values of the records by the names of their files, each for [`names`].
    pub(crate) fn values(&self) -> HashMap<&str, &str> {
        self.stored_values().lines().chain(self.new_values.lines()).filter_map(head::of_values).collect()
    }
}

fn text(local: &Path, name: &str) -> String {
    fs::read_to_string(local.join(name)).unwrap_or_default()
}

/// The line that ends an index of a folder in this state.
fn stamp_of(changed: Duration) -> String {
    line::written(["", &format!("{changed:?}")])
}

fn with_newlines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Values first: a record with a head has values.
fn append(local: &Path, of: &Path, heads: &str, values: &str) -> std::io::Result<()> {
    fs::create_dir_all(local)?;
    if !local.join(OF).exists() {
        fs::write(local.join(OF), fs::canonicalize(of)?.to_string_lossy().as_bytes())?;
    }
    for (name, lines) in [(VALUES, values), (RUNS, heads)] {
        if !lines.is_empty() {
            let mut file = OpenOptions::new().create(true).append(true).open(local.join(name))?;
            // The line before may have been torn.
            file.write_all(format!("\n{lines}").as_bytes())?;
        }
    }
    Ok(())
}

/// When a file was last added to a folder or taken away.
fn changed(folder: &Path) -> Option<Duration> {
    fs::metadata(folder).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()
}

fn is_settled(changed: Duration) -> bool {
    SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|now| now > changed + SETTLED)
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem()?.to_str().map(str::to_owned)
}

/// A name for the index of a folder.
fn key(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    json::digest(&folder.to_string_lossy())[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::query::Names;
    use super::super::record::tests::record;
    use super::super::{Outcome, Record};
    use super::*;

    /// A store with records of these layers, and the folder of its index.
    fn written(layers: &[usize]) -> (tempfile::TempDir, Store, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (store, local) = (Store::new(folder.path().join("store")), folder.path().join("index"));
        write(&store, layers);
        (folder, store, local)
    }

    fn write(store: &Store, layers: &[usize]) -> Vec<PathBuf> {
        let of = |layer: usize| Record { outcome: Outcome::Ok((layer as f64 / 2.0).into()), ..record(layer) }.sealed();
        layers.iter().map(|layer| store.write(&of(*layer)).unwrap()).collect()
    }

    /// The folder was last changed an hour ago.
    fn settle(store: &Store) {
        let folder = fs::File::open(store.folder_of("sweep")).unwrap();
        folder.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    }

    fn layers(store: &Store, local: &Path) -> Vec<u64> {
        let index = Index::of(store, "sweep", Some(local), 0).unwrap();
        let values = index.values();
        let layer = |head: &Head<'_>| names(values[head.stem], |name| name == "args.layer");
        index.heads().iter().map(|head| layer(head).number("layer").unwrap() as u64).collect()
    }

    #[test]
    fn an_index_answers_as_the_files_do() {
        let (_folder, store, local) = written(&[3, 1, 2]);
        for _ in 0..2 {
            assert_eq!(layers(&store, &local), [3, 1, 2], "oldest first");
        }
        write(&store, &[5]);
        assert_eq!(layers(&store, &local), [3, 1, 2, 5]);
        let index = Index::of(&store, "sweep", Some(&local), 0).unwrap();
        let runs = store.runs("sweep").unwrap().records;
        for (head, record) in index.heads().iter().zip(&runs) {
            assert_eq!(
                (head.id(), head.version, head.started),
                (record.id.as_str().into(), record.version.as_ref(), &*record.started)
            );
            assert_eq!((head.name(), head.function()), (record.name.as_str().into(), record.function.as_str().into()));
            let all = names(index.values()[head.stem], |_| true);
            assert_eq!(all.iter().collect::<Vec<_>>(), Names::of(record).iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_settled_folder_is_not_listed_again_and_what_is_gone_is_forgotten() {
        let (_folder, store, local) = written(&[1]);
        let gone = write(&store, &[2]).remove(0);
        settle(&store);
        assert_eq!(layers(&store, &local), [1, 2]);
        let size = || fs::metadata(local.join(RUNS)).unwrap().len();
        let before = size();
        assert_eq!((layers(&store, &local), size()), (vec![1, 2], before), "nothing is added");
        fs::remove_file(gone).unwrap();
        settle(&store);
        assert_eq!(layers(&store, &local), [1], "the folder was changed, at another time");
        assert_eq!(layers(&store, &local), [1]);
        write(&store, &[7]);
        settle(&store);
        assert_eq!(layers(&store, &local), [1, 7]);
    }

    #[test]
    fn torn_mixed_and_foreign_lines_cost_time_alone() {
        let (_folder, store, local) = written(&[1, 2, 3]);
        assert_eq!(layers(&store, &local), [1, 2, 3]);
        for file in [RUNS, VALUES] {
            let path = local.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let half: String = text.chars().take(text.len() / 2).collect();
            fs::write(&path, format!("{half}\nfrom elsewhere\t0\n{}", &text[..40])).unwrap();
        }
        drop(fs::remove_file(local.join(VALUES)));
        let index = Index::of(&store, "sweep", Some(&local), 0).unwrap();
        assert_eq!(index.heads().len(), 3);
        fs::remove_dir_all(&local).unwrap();
        assert_eq!(layers(&store, &local), [1, 2, 3], "it can be deleted");
        fs::remove_dir_all(&local).unwrap();
        fs::write(&local, "a file").unwrap();
        assert_eq!(layers(&store, &local), [1, 2, 3], "it cannot be written");
    }

    #[test]
    fn what_is_not_a_record_is_named_each_time() {
        let (_folder, store, local) = written(&[1]);
        fs::write(store.folder_of("sweep").join("half.json"), "{").unwrap();
        settle(&store);
        for _ in 0..2 {
            let index = Index::of(&store, "sweep", Some(&local), 0).unwrap();
            assert_eq!((index.heads().len(), index.unreadable.len()), (1, 1));
        }
    }

    fn versions(store: &Store, local: &Path) -> Vec<String> {
        let (summary, unreadable) = store.summary_in("sweep", Some(local), 0).unwrap();
        assert_eq!(unreadable, []);
        summary.versions(|_| true).map(|version| version.to_string()).collect()
    }

    #[test]
    fn versions_are_those_of_the_files_whatever_is_kept() {
        let (_folder, store, local) = written(&[3, 1, 3]);
        let of_files =
            || -> Vec<String> { store.runs("sweep").unwrap().versions().iter().map(ToString::to_string).collect() };
        assert_eq!(versions(&store, &local), of_files());
        assert!(!local.join(summary::FILE).exists(), "the folder may change again without a sign");
        settle(&store);
        for _ in 0..2 {
            assert_eq!(versions(&store, &local), of_files());
        }
        assert!(local.join(summary::FILE).exists());
        write(&store, &[5]);
        assert_eq!(versions(&store, &local), of_files());
        settle(&store);
        assert_eq!((versions(&store, &local).len(), versions(&store, &local)), (3, of_files()));
        let kept = fs::read_to_string(local.join(summary::FILE)).unwrap();
        for broken in [&kept[..kept.len() / 2], &kept.replace("0\n", "1\n"), "", "from elsewhere\n"] {
            fs::write(local.join(summary::FILE), broken).unwrap();
            assert_eq!(versions(&store, &local), of_files(), "{broken}");
        }
    }

    #[test]
    fn an_index_of_a_folder_that_is_gone_is_an_orphan() {
        let (folder, store, local) = written(&[1]);
        let indexes = folder.path().join("indexes");
        fs::create_dir(&indexes).unwrap();
        layers(&store, &indexes.join("a"));
        fs::create_dir(indexes.join("old")).unwrap();
        assert_eq!(orphans_in(&indexes, Duration::ZERO), [indexes.join("old")]);
        fs::remove_dir_all(store.folder()).unwrap();
        assert_eq!(orphans_in(&indexes, Duration::ZERO), [indexes.join("a"), indexes.join("old")]);
        assert_eq!(orphans_in(&indexes, YOUNG), [] as [PathBuf; 0], "they may be in the making");
        assert_eq!(orphans_in(&local, Duration::ZERO), [] as [PathBuf; 0]);
    }

    #[test]
    fn records_keep_their_order_when_the_clock_goes_backwards() {
        let (_folder, store, local) = written(&[1, 2]);
        assert_eq!(layers(&store, &local), [1, 2]);
        let started = "2001-01-01T00:00:00.000000Z".to_owned();
        let before = Record { started, id: "early".into(), ..record(3) }.sealed();
        store.write(&before).unwrap();
        for _ in 0..2 {
            assert_eq!(layers(&store, &local), [3, 1, 2], "by the time that each says");
            settle(&store);
        }
        assert_eq!(versions(&store, &local).len(), 3);
        assert_eq!(store.find("early").unwrap(), before);
    }

    #[test]
    fn writers_and_readers_at_once_see_every_record() {
        let (_folder, store, local) = written(&[]);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (store, local) = (&store, &local);
                scope.spawn(move || {
                    for layer in 0..25 {
                        write(store, &[100 * writer + layer]);
                        assert!(layers(store, local).contains(&((100 * writer + layer) as u64)));
                    }
                });
            }
        });
        let mut all = layers(&store, &local);
        all.sort_unstable();
        assert_eq!(all, (0..4).flat_map(|writer| 100 * writer..100 * writer + 25).collect::<Vec<u64>>());
    }
}
