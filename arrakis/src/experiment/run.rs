//! What one call leaves.

use std::path::PathBuf;

use super::Record;
use crate::hypothesis::Verdict;
use crate::profile::Profile;

/// What one call of an experiment left. [`Bench::last`](crate::Bench::last) returns that of the latest call.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// The record, if the call was under `#[log_experiment]`.
    pub record: Option<Record>,
    /// The files of its figures.
    pub figures: Vec<PathBuf>,
    /// The verdict of its claim.
    pub verdict: Option<Verdict>,
    /// Its profile, with the spans of its trace.
    pub profile: Option<Profile>,
}
