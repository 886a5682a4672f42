//! The errors of causal tracing.

use crate::error::Error;

/// The tool's name.
pub(super) const NAME: &str = "causal_tracing";

/// What was asked, and what is valid.
pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
