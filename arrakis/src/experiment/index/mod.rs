//! An index of the records of an experiment, so that a question does not read every file.
//!
//! It is a cache on the local disk, also of a store in a shared folder: two files of lines that are only ever appended to. Any
//! number of processes read and write them at once. What two of them append is there twice and counts once; a torn line has a
//! wrong sum and its record is read again. Without an index, with an old one or with a foreign one the answers are the same.

mod head;
mod line;

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrakis_models::ground::cache;
pub(crate) use head::{Head, names};

use super::{Store, Unreadable, json};
use crate::error::Result;

/// Fewer records than this are read one by one.
const WORTH_IT: usize = 200;

/// A folder that was changed later than this before it was read may change again without a sign.
const SETTLED: Duration = Duration::from_secs(2);

/// The records of an experiment, without what is only in their files.
#[derive(Debug, Default)]
pub(crate) struct Index {
    heads: String,
    values: String,
    /// Files that are not records.
    pub(crate) unreadable: Vec<Unreadable>,
}

impl Store {
    /// The records of an experiment by name.
    pub(super) fn index(&self, name: &str) -> Result<Index> {
        let local = cache::folder().map(|folder| folder.join("index").join(key(&self.folder_of(name))));
        Index::of(self, name, local.as_deref(), WORTH_IT)
    }

    /// The path of a record of an experiment.
    pub(super) fn path_of(&self, name: &str, stem: &str) -> PathBuf {
        self.folder_of(name).join(format!("{stem}.json"))
    }
}

impl Index {
    fn of(store: &Store, name: &str, local: Option<&Path>, worth_it: usize) -> Result<Self> {
        let changed = changed(&store.folder_of(name));
        let mut index = local.map(Self::load).unwrap_or_default();
        let stamp = changed.map(|changed| line::written(["", &format!("{changed:?}")]));
        let is_current = stamp.as_ref().is_some_and(|stamp| index.heads.ends_with(stamp.as_str()));
        if is_current {
            return Ok(index);
        }
        let settled = changed.is_some_and(is_settled);
        let stems: Vec<String> = store.files(name)?.iter().filter_map(|path| stem(path)).collect();
        let local = local.filter(|_| stems.len() >= worth_it);
        if index.forget_others(&stems)
            && let Some(local) = local
        {
            drop(fs::remove_dir_all(local));
            drop(append(local, &index.heads, &index.values));
        }
        let (mut heads, values) = index.read_new(store, name, &stems);
        if settled && index.unreadable.is_empty() {
            heads += &stamp.unwrap_or_default();
        }
        if let Some(local) = local {
            // An index that cannot be written costs time and nothing else.
            drop(append(local, &heads, &values));
        }
        // The last line may be torn.
        for (lines, new) in [(&mut index.heads, heads), (&mut index.values, values)] {
            lines.push('\n');
            lines.push_str(&new);
        }
        Ok(index)
    }

    fn load(local: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(local.join(name)).unwrap_or_default();
        Self { heads: read("heads"), values: read("values"), ..Self::default() }
    }

    /// Drops the lines of records that are not there any more. Returns whether there were any.
    fn forget_others(&mut self, stems: &[String]) -> bool {
        let there: HashSet<&str> = stems.iter().map(String::as_str).collect();
        let all_there = self.lines().all(|head| there.contains(head.stem));
        if !all_there {
            let stays = |stem: Option<&str>| stem.is_some_and(|stem| there.contains(stem));
            let heads = self.heads.lines().filter(|line| stays(Head::read(line).map(|head| head.stem)));
            let values = self.values.lines().filter(|line| stays(head::of_values(line).map(|(stem, _)| stem)));
            (self.heads, self.values) = (with_newlines(heads), with_newlines(values));
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
        self.values.lines().filter_map(head::of_values).collect()
    }
}

fn with_newlines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Values first: a record with a head has values.
fn append(local: &Path, heads: &str, values: &str) -> std::io::Result<()> {
    fs::create_dir_all(local)?;
    for (name, lines) in [("values", values), ("heads", heads)] {
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
        let size = || fs::metadata(local.join("heads")).unwrap().len();
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
        for file in ["heads", "values"] {
            let path = local.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let half: String = text.chars().take(text.len() / 2).collect();
            fs::write(&path, format!("{half}\nfrom elsewhere\t0\n{}", &text[..40])).unwrap();
        }
        drop(fs::remove_file(local.join("values")));
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
