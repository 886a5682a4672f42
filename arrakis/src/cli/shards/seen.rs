//! What the shards of a job left, in one folder of records or in several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrakis_models::ground::shard::{self, Line, Shard, part_path, read_log};

use super::job::Job;
use crate::error::{Error, Result};

/// A run of a shard, by its log.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) log: PathBuf,
    /// The ids of the steps that were begun, in their order, and the steps in words.
    pub(super) steps: Vec<(String, String)>,
    /// The digests of the parts, by step.
    pub(super) kept: BTreeMap<String, String>,
    /// The programs that were cut.
    pub(super) programs: BTreeSet<String>,
}

/// The runs of a shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    /// Those that ended, oldest first.
    pub(super) ended: Vec<Run>,
    /// Whether there are others.
    pub(super) started: bool,
}

impl Runs {
    /// Those of a shard, below any of these folders of records.
    pub(super) fn of(job: &Job, dirs: &[PathBuf], shard: Shard) -> Result<Self> {
        let mut logs: Vec<PathBuf> = Vec::new();
        for dir in dirs {
            logs.extend(logs_of(&job.below(dir).folder().join(shard.folder()))?);
        }
        // Names begin with the time.
        logs.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
        let mut runs = Self::default();
        for log in logs {
            let lines = read_log(&log)?;
            runs.started = true;
            if lines.iter().any(|line| matches!(line, Line::Ended { .. })) {
                runs.ended.push(Run::of(&log, lines));
            }
        }
        Ok(runs)
    }

    /// The time of the latest, as its name has it.
    pub(super) fn latest(job: &Job, dirs: &[PathBuf]) -> Option<String> {
        let folders = dirs.iter().flat_map(|dir| {
            let folder = job.below(dir).folder();
            Shard::all(job.plan.of).map(move |shard| folder.join(shard.folder()))
        });
        let logs = folders.filter_map(|folder| logs_of(&folder).ok()).flatten();
        logs.filter_map(|log| Some(log.file_name()?.to_string_lossy().into_owned())).max()
    }

    /// A step of which two runs have different parts.
    pub(super) fn contradiction(&self) -> Option<(&str, &Path, &Path)> {
        let mut first: BTreeMap<&str, (&str, &Path)> = BTreeMap::new();
        for run in &self.ended {
            for (step, digest) in &run.kept {
                let (known, log) = first.entry(step).or_insert((digest, &run.log));
                if known != digest {
                    return Some((run.in_words(step), log, &run.log));
                }
            }
        }
        None
    }
}

impl Run {
    pub(super) fn of(log: &Path, lines: Vec<Line>) -> Self {
        let (mut steps, mut kept, mut programs) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for line in lines {
            match line {
                Line::Begun { step, what, program } => {
                    steps.push((step, what));
                    programs.insert(program);
                }
                Line::Kept { step, digest } => drop(kept.insert(step, digest)),
                _ => {}
            }
        }
        Self { log: log.to_owned(), steps, kept, programs }
    }

    /// A step in words.
    fn in_words(&self, step: &str) -> &str {
        self.steps.iter().find(|(id, _)| id == step).map_or("a step", |(_, what)| what)
    }

    /// The bytes of each part, from the folder that has them as they were written.
    pub(super) fn parts(&self, job: &Job, dirs: &[PathBuf], of: Shard) -> Result<BTreeMap<String, Vec<u8>>> {
        let part = |(step, digest): (&String, &String)| {
            let paths = dirs.iter().map(|dir| part_path(&job.below(dir).folder(), of, step));
            let whole = |path: PathBuf| std::fs::read(path).ok().filter(|bytes| shard::digest(bytes) == *digest);
            let bytes = paths.into_iter().find_map(whole);
            let lost = || Error::Shards {
                problem: format!(
                    "the part of shard {of} of {} is not there, or not as it was written: remove \
                     `{step}.part` if it is there, and run the shard again: {}",
                    self.in_words(step),
                    job.alone(of)
                ),
            };
            Ok((step.clone(), bytes.ok_or_else(lost)?))
        };
        self.kept.iter().map(part).collect()
    }
}

/// The logs in the folder of a shard; none if it is not there.
fn logs_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Read { path: folder.to_owned(), source }),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect())
}
