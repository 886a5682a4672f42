//! Numbers over time: the steps of a training, a loss per batch. JSON lines beside the record, written while the run goes on.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Record, Store, json};
use crate::error::{Error, Result};

/// The folder of the files, beside the records.
const FOLDER: &str = "metrics";

/// A number of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name: `loss`.
    pub name: String,
    /// The step.
    pub step: u64,
    /// The number.
    pub value: f64,
}

/// The numbers of a run by their names, each in the order of its steps.
pub type Metrics = BTreeMap<String, Vec<(u64, f64)>>;

/// The file of a run that is going on.
#[derive(Debug)]
pub(crate) struct MetricFile {
    path: PathBuf,
    file: File,
}

impl MetricFile {
    /// The file of the run with this id, in the folder of its experiment.
    pub(crate) fn open(folder: &Path, id: &str) -> Result<Self> {
        let path = path(folder, id);
        let open = || {
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            OpenOptions::new().create(true).append(true).open(&path)
        };
        let file = open().map_err(|source| Error::Write { path: path.clone(), source })?;
        Ok(Self { path, file })
    }

    /// Adds a line, by one write. A line that a crash cut off ends at the first newline.
    pub(crate) fn add(&mut self, metric: &Metric) -> Result<()> {
        let line = json::to_value(metric).expect("BUG: a metric is plain data");
        let written = self.file.write_all(format!("\n{line}\n").as_bytes());
        written.map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Waits until the lines are on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

impl Store {
    /// The numbers that a run wrote while it went on, with `bench.metric(..)`. A step that was written twice has its last
    /// number. A line that was cut off is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file is there but cannot be read.
    pub fn metrics(&self, record: &Record) -> Result<Metrics> {
        let path = path(&self.folder_of(&record.name), &record.id);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Metrics::new()),
            Err(source) => return Err(Error::Read { path, source }),
        };
        let mut found: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
        for line in text.lines() {
            let metric = serde_json::from_str(line).ok().and_then(|line| json::from_value::<Metric>(&line).ok());
            if let Some(Metric { name, step, value }) = metric {
                found.entry(name).or_default().insert(step, value);
            }
        }
        Ok(found.into_iter().map(|(name, steps)| (name, steps.into_iter().collect())).collect())
    }
}

fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{id}.jsonl"))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn steps_are_read_in_order_and_a_cut_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let record = record(0);
        assert_eq!(store.metrics(&record).unwrap(), Metrics::new());
        let mut file = MetricFile::open(&store.folder_of(&record.name), &record.id).unwrap();
        let add = |file: &mut MetricFile, name: &str, step, value| {
            file.add(&Metric { name: name.into(), step, value }).unwrap();
        };
        add(&mut file, "loss", 2, 0.5);
        add(&mut file, "loss", 1, f64::INFINITY);
        file.file.write_all(b"\n{\"name\":\"lo").unwrap();
        add(&mut file, "accuracy", 1, 0.25);
        add(&mut file, "loss", 2, 0.125);
        file.sync().unwrap();
        assert_eq!(
            store.metrics(&record).unwrap(),
            Metrics::from([
                ("accuracy".into(), vec![(1, 0.25)]),
                ("loss".into(), vec![(1, f64::INFINITY), (2, 0.125)])
            ])
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("blocked");
        fs::write(&blocked, "a file").unwrap();
        let said = MetricFile::open(&blocked, "x").unwrap_err().to_string();
        assert!(said.contains("blocked/metrics/x.jsonl"), "{said}");
    }
}
