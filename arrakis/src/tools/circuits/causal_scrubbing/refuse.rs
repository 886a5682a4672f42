//! What causal scrubbing refuses.

use crate::error::Error;

pub(super) const NAME: &str = "causal_scrubbing";

pub(super) fn refuse(problem: impl Into<String>) -> Error {
    Error::Tool { tool: NAME, problem: problem.into() }
}
