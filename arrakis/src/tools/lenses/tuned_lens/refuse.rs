//! The errors of the tuned lens.

use crate::error::Error;

/// The tool's name.
pub(super) const NAME: &str = "tuned_lens";

/// What was asked, and what is valid.
pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
