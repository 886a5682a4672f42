//! What the tests of circuits refuse.

use crate::error::Error;

pub(super) const NAME: &str = "circuit_tests";

pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
