//! `arrakis rerun`: the recorded source state built and run again, and what it says beside the record.

mod build;
mod run;
mod tree;

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Answer, Dir, SourceArgs, table};
use crate::error::{Error, Result};
use crate::experiment::{Comparison, Launch, Record, State, Store, Tolerance, compare};
use crate::fmt::short;
use build::{Build, Cargo};
use tree::Tree;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 reproduced, 1 drifted, 2 failed or an error.\n\nThe commit of the record and its changes are \
    checked out in a folder of their own below the user's cache, built there, and run with the recorded arguments. What it records \
    goes to a temporary folder."
)]
pub(crate) struct Args {
    /// The run, as `arrakis show` takes it
    id: String,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    sources: SourceArgs,
    /// How far numbers may lie apart, relative to the largest of their array
    #[arg(long, default_value_t = Tolerance::default().relative)]
    rtol: f64,
    /// How far they may lie apart besides, in their own unit
    #[arg(long, default_value_t = Tolerance::default().absolute)]
    atol: f64,
    /// The cargo to build with
    #[arg(long, env = "CARGO", default_value = "cargo", hide = true)]
    cargo: PathBuf,
    /// Arguments of the program instead of the recorded ones
    #[arg(last = true)]
    arguments: Option<Vec<String>>,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let record = store.find(&args.id)?;
    let again = Again::of(args, &store, &record).map_err(|problem| failed(&problem))?;
    let tolerance = Tolerance { relative: args.rtol, absolute: args.atol };
    let comparison = compare(&record, &again.record, tolerance);
    let metrics = (store.metrics(&record)?, again.store.metrics(&again.record)?);
    let comparison = comparison.with_metrics(&metrics.0, &metrics.1, tolerance);
    let text = page(&record, &again, &comparison);
    Ok(Answer { text, yes: comparison.agrees() })
}

fn failed(problem: &str) -> Error {
    Error::Value { of: "arrakis rerun", problem: format!("failed: {problem}") }
}

/// The record of the second run, where it is, and what to know about it.
struct Again {
    record: Record,
    store: Store,
    notes: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Again {
    fn of(args: &Args, store: &Store, record: &Record) -> std::result::Result<Self, String> {
        let launch = launch_of(record)?;
        let arguments = run::arguments(launch, args.arguments.as_deref())?;
        let state = store.state(record).map_err(|error| error.to_string())?;
        let tree = Tree::of(record, state.as_ref(), &args.sources.sources)?;
        tree.link_inputs(record, launch);
        let cargo = Cargo { program: &args.cargo, target: tree.target() };
        let manifest = tree.package().join("Cargo.toml");
        let program = Build { cargo, record, launch, manifest: &manifest }.run()?;
        let folder = tempfile::tempdir().map_err(|error| format!("there is no temporary folder: {error}"))?;
        let again = run::run(record, launch, &program, &tree, &arguments, folder.path())?;
        let notes = notes(record, &again, state.as_ref());
        Ok(Self { record: again, store: Store::new(folder.path()), notes, _folder: folder })
    }
}

fn launch_of(record: &Record) -> std::result::Result<&Launch, String> {
    if record.git.is_none() {
        return Err("the record names no commit, because it was made outside of a git work tree: its sources cannot be brought \
                    back; `arrakis source` shows the function"
            .into());
    }
    record.launch.as_ref().ok_or_else(|| {
        "the record does not say which program made it: it is of an older version, of a doc test, or of a program that cargo did \
         not build"
            .into()
    })
}

/// What is another than it was.
fn notes(before: &Record, after: &Record, state: Option<&State>) -> Vec<String> {
    let mut notes = Vec::new();
    let left_out = state.iter().flat_map(|state| &state.left_out);
    notes.extend(left_out.map(|(path, why)| format!("the changes of {path} were not recorded: {why}")));
    if before.sources.is_some() && before.sources != after.sources {
        notes.push(
            "the sources are not those of the record: git ignores some, or a package by path is in no work tree".into(),
        );
    }
    if before.lock != after.lock {
        notes.push("Cargo.lock is another".into());
    }
    for (part, version) in &before.versions {
        let now = after.versions.get(part).map_or("absent", String::as_str);
        if now != version {
            notes.push(format!("{part} was {version} and is {now}"));
        }
    }
    if before.model.fingerprint != after.model.fingerprint {
        notes.push(format!("the model `{}` has other weights", before.model.name));
    }
    if before.model.device != after.model.device {
        notes.push(format!("the device was {} and is {}", before.model.device, after.model.device));
    }
    for file in &before.data {
        if !after.data.iter().any(|other| other.name() == file.name() && other.sha256 == file.sha256) {
            notes.push(format!("the file {} was changed, or was not read", file.path));
        }
    }
    notes
}

fn page(record: &Record, again: &Again, comparison: &Comparison) -> String {
    let word = if comparison.agrees() { "reproduced" } else { "drifted" };
    let (beyond, all) = (comparison.beyond().count(), comparison.compared);
    let values = if all == 1 { "1 value".to_owned() } else { format!("{all} values") };
    let mut page = format!("{word}: run {} of `{}`: {values} compared", record.short_id(), record.name);
    let _ = match (beyond, comparison.differences.len()) {
        (0, 0) => writeln!(page, ", all the same to the bit"),
        (0, _) => writeln!(page, ", the largest difference is {}", short(comparison.largest())),
        (beyond, _) => writeln!(page, ", {beyond} beyond the tolerance"),
    };
    let rows: Vec<Vec<String>> = comparison
        .beyond()
        .map(|one| {
            vec![one.name.clone(), one.before.clone(), one.after.clone(), one.by.map_or_else(String::new, short)]
        })
        .collect();
    if !rows.is_empty() {
        page += &table::aligned(&["value", "recorded", "again", "apart by"], &rows);
    }
    for note in &again.notes {
        let _ = writeln!(page, "note: {note}");
    }
    page
}

#[cfg(test)]
mod tests;
