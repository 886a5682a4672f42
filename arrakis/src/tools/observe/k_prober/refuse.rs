//! The errors of probes.

use crate::error::Error;

/// The tool's name.
pub(super) const NAME: &str = "k_prober";

/// What was asked, and what is valid.
pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
