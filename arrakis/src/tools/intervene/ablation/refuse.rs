//! The tool's name and its errors.

use crate::error::Error;

/// The tool's name in errors.
pub(super) const NAME: &str = "ablation";

pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
