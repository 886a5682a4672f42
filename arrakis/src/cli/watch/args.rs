//! What `arrakis watch` is asked for.

use std::ffi::OsString;

#[derive(Debug, Default, clap::Args)]
pub(in crate::cli) struct Args {
    /// The binary to run, if the package has several
    #[arg(long)]
    pub(super) bin: Option<String>,
    /// An example to run, instead of a binary
    #[arg(long, conflicts_with = "bin")]
    pub(super) example: Option<String>,
    /// The package, if the workspace has several
    #[arg(long, short)]
    pub(super) package: Option<String>,
    /// Features of the package to build with
    #[arg(long)]
    pub(super) features: Option<String>,
    /// Build with optimisation; each build then takes longer
    #[arg(long)]
    pub(super) release: bool,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub(super) arguments: Vec<OsString>,
}
