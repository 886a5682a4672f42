//! `arrakis stats`: what a folder of records holds.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Answer, Dir, table, unreadable, when};
use crate::error::Result;
use crate::experiment::{Query, Record, Status};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: Dir,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let found = store.query(&Query::new())?;
    let mut by_name: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in &found.records {
        by_name.entry(&record.name).or_default().push(record);
    }
    let row = |(name, runs): (&&str, &Vec<&Record>)| row(name, runs, &store.folder_of(name));
    let rows: Vec<Vec<String>> = by_name.iter().map(row).collect();
    let header = ["experiment", "runs", "versions", "failed", "seconds", "kB", "first", "last"];
    Ok(Answer { text: table::aligned(&header, &rows) + &unreadable(&found), yes: true })
}

/// Runs are newest first.
fn row(name: &str, runs: &[&Record], folder: &Path) -> Vec<String> {
    let versions: std::collections::BTreeSet<_> = runs.iter().map(|record| &record.version).collect();
    let failed = runs.iter().filter(|record| !matches!(Status::of(record), Status::Ok | Status::Holds)).count();
    let seconds: f64 = runs.iter().map(|record| record.duration_secs).sum();
    let time = |record: Option<&&Record>| record.map(|record| when(&record.started)).unwrap_or_default();
    vec![
        name.to_owned(),
        table::grouped(runs.len()),
        table::grouped(versions.len()),
        table::grouped(failed),
        format!("{seconds:.1}"),
        table::grouped(usize::try_from(bytes(folder) / 1000).unwrap_or(usize::MAX)),
        time(runs.last()),
        time(runs.first()),
    ]
}

/// The bytes of the files in a folder and the folders in it.
fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => bytes(&entry.path()),
        Ok(facts) => facts.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};

    #[test]
    fn runs_and_versions_are_counted() {
        let study = Study::new();
        let (_, out, _) = ran(&study.args(&["stats"]));
        let cells: Vec<&str> = out.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..4], ["score", "3", "3", "0"], "{out}");
    }
}
