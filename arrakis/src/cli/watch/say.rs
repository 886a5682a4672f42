//! What is said beside the program and the compiler, and errors.

use crate::error::Error;

pub(super) fn failed(problem: &impl ToString) -> Error {
    Error::Watch { problem: problem.to_string() }
}

/// Says something beside what the program and the compiler say.
pub(super) fn say(text: &str) {
    eprintln!("watch: {text}");
}
