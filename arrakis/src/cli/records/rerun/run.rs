//! The built program, run as it was, and the record that it makes.

use std::path::Path;
use std::process::Command;

use arrakis_models::device::DEVICE_VARIABLE;
use arrakis_models::ground::watcher::WATCH_VARIABLE;

use super::build::last_lines;
use super::tree::Tree;
use crate::bench::{FORCE_VARIABLE, RERUN_VARIABLE};
use crate::experiment::{HIDDEN, Launch, Record, Store};

/// The arguments to try, one after the other until the run is there.
pub(super) fn arguments(launch: &Launch, given: Option<&[String]>) -> Result<Vec<Vec<String>>, String> {
    if let Some(given) = given {
        return Ok(vec![given.to_vec()]);
    }
    if let Some(at) = launch.arguments.iter().position(|argument| argument.contains(HIDDEN)) {
        return Err(format!(
            "argument {} of `{}` was not recorded, because it looks like a secret: give all arguments after `--`",
            at + 1,
            launch.program
        ));
    }
    let mut all = Vec::new();
    if let Some(test) = &launch.test {
        all.push(vec![test.clone(), "--exact".into(), "--include-ignored".into()]);
    }
    all.push(launch.arguments.clone());
    Ok(all)
}

/// Runs the program, whose records go to `folder`, and finds the run that was recorded.
pub(super) fn run(
    record: &Record,
    launch: &Launch,
    program: &Path,
    tree: &Tree,
    arguments: &[Vec<String>],
    folder: &Path,
) -> Result<Record, String> {
    let mut problem = String::new();
    for arguments in arguments {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(tree.folder(launch)).env(RERUN_VARIABLE, folder).env(FORCE_VARIABLE, "1");
        command.env("CARGO_MANIFEST_DIR", tree.package()).env_remove(WATCH_VARIABLE);
        if record.model.device_kind() == "cpu" {
            command.env(DEVICE_VARIABLE, "cpu");
        }
        for (name, value) in libraries(program) {
            command.env(name, value);
        }
        let done = command.output().map_err(|error| format!("cannot run `{}`: {error}", program.display()))?;
        if let Some(again) = same_run(record, folder)? {
            return Ok(again);
        }
        problem = format!(
            "`{}` ended with {} and made no record of `{}` with these arguments{}",
            launch.program,
            done.status,
            record.function,
            last_lines(&done.stderr)
        );
    }
    Err(problem)
}

/// The run with the inputs of a record; otherwise the first one of the function with its arguments.
fn same_run(record: &Record, folder: &Path) -> Result<Option<Record>, String> {
    let mut records = Store::new(folder).all().map_err(|error| error.to_string())?.records;
    let call = |record: &Record| {
        (record.function.clone(), record.instance.clone(), record.arguments.clone(), record.seed, record.parents.len())
    };
    let same = records.iter().position(|other| other.version == record.version);
    let same = same.or_else(|| records.iter().position(|other| call(other) == call(record)));
    Ok(same.map(|at| records.swap_remove(at)))
}

/// Where the program looks for libraries that were built with it.
fn libraries(program: &Path) -> Vec<(&'static str, std::ffi::OsString)> {
    let name = if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let before = std::env::var_os(name).unwrap_or_default();
    let Some(folder) = program.parent().filter(|_| cfg!(unix)) else { return Vec::new() };
    let built = [folder.to_owned(), folder.join("deps")];
    let paths = std::env::join_paths(built.into_iter().chain(std::env::split_paths(&before)));
    paths.map(|paths| (name, paths)).into_iter().collect()
}
