//! A tool by its name.

use super::{Registered, TOOLS};
use crate::error::{Error, Result};

/// The tool of a name.
///
/// # Errors
///
/// [`Error::UnknownTool`], naming the nearest.
pub fn find(name: &str) -> Result<Registered> {
    let known: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    let found = TOOLS.iter().find(|tool| tool.name == name).copied();
    found.ok_or_else(|| Error::UnknownTool {
        asked: name.to_owned(),
        nearest: arrakis_models::ground::nearest::nearest(name, &known),
    })
}
