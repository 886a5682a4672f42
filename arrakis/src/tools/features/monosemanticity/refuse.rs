//! The tool's name, and its errors.

use crate::error::Error;

/// The tool's name.
pub(super) const NAME: &str = "monosemanticity";

/// The same error under this tool's name.
pub(super) fn own(error: Error) -> Error {
    match error {
        Error::NotFinite { what, value, place, fix, .. } => Error::NotFinite { tool: NAME, what, value, place, fix },
        other => other,
    }
}

pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
