//! What is done with records: one file per subcommand, and what they share.

pub(super) mod annotate;
pub(super) mod diff;
pub(super) mod export;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod hypotheses;
pub(super) mod import;
pub(super) mod log;
pub(super) mod rerun;
pub(super) mod show;
pub(super) mod stats;
pub(super) mod whence;

mod csv;
mod shown;
#[cfg(test)]
mod testing;

use std::path::PathBuf;

use super::{Answer, table};
use crate::error::{Error, Result};
use crate::experiment::{Found, Sources, Store};

/// Where the records are.
#[derive(Debug, clap::Args)]
pub(super) struct Dir {
    /// The folder of the records (`Bench::save_dir`)
    #[arg(long, value_name = "FOLDER", env = "ARRAKIS_DIR", default_value = "experiments")]
    dir: PathBuf,
}

impl Dir {
    /// The store.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the folder is not there.
    fn store(&self) -> Result<Store> {
        match std::fs::read_dir(&self.dir) {
            Ok(_) => Ok(Store::new(&self.dir)),
            Err(source) => Err(Error::Read { path: self.dir.clone(), source }),
        }
    }
}

/// Where the sources are.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// The folder that the sources are in: the root of the workspace
    #[arg(long, value_name = "FOLDER", env = "ARRAKIS_SOURCES", default_value = ".")]
    sources: PathBuf,
}

impl SourceArgs {
    /// The sources as they are.
    fn read(&self) -> Sources {
        Sources::new(&self.sources)
    }
}

/// What a list leaves out.
fn unreadable(found: &Found) -> String {
    match found.unreadable.len() {
        0 => String::new(),
        count => format!("{count} files cannot be read; `arrakis fsck` says why\n"),
    }
}

/// The time of a run without its fraction: `2026-11-26 10:05:00`.
fn when(started: &str) -> String {
    started.split(['.', 'Z']).next().unwrap_or(started).replace('T', " ")
}
