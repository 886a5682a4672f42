//! The records of experiments: what was run, on what, and with which outcome.
//!
//! A [`Record`] is one call of a function under `#[log_experiment]`. Its version is a hash of the inputs alone, so
//! equal inputs have equal versions, and every run of a version is kept. A [`Store`] is a folder of records, one
//! write-once JSON file for each.

mod belongings;
mod clock;
pub(crate) mod code;
mod compare;
mod data_file;
mod diff;
mod environment;
mod format;
mod freshness;
mod function;
mod helper;
mod index;
pub mod json;
mod launch;
mod metrics;
mod package;
mod place;
pub(crate) mod program;
mod query;
mod record;
mod register;
mod registration;
mod remote;
mod reuse;
mod run;
mod seal;
mod secrets;
mod state;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod upkeep;
mod version;

pub(crate) use clock::millis;
pub use compare::{Comparison, Difference, Tolerance, compare};
pub use data_file::DataFile;
pub use diff::{Change, diff};
pub(crate) use environment::Environment;
pub use environment::Git;
pub use format::FORMAT;
pub use freshness::{Assessment, Cause, Freshness, Sources};
pub use function::{Function, Here};
pub use helper::{Helper, UsedHelper};
pub use launch::{Launch, Target};
pub(crate) use metrics::MetricFile;
pub use metrics::{Metric, Metrics};
pub(crate) use package::{folders as package_folders, lock_file as package_lock};
pub use query::{Condition, Found, Names, Query, Status};
pub use record::{ModelFacts, Outcome, Record};
pub(crate) use register::register;
pub use registration::{Registration, RunKind};
pub use remote::{Brought, Remote};
pub(crate) use reuse::Earlier;
pub use reuse::Reuse;
pub use run::Run;
pub use seal::Problem;
pub(crate) use secrets::HIDDEN;
pub use state::State;
#[cfg(test)]
pub(crate) use state::tests as state_tests;
pub(crate) use store::file_name;
pub use store::{Runs, Store, Unreadable};
pub use upkeep::{Annotation, Annotations, Check, Garbage, Import};
pub use version::Version;
