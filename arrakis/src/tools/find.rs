//! A tool by its name.

use super::{Registered, TOOLS};
use crate::error::{Error, Result};

/// Looks up a tool by name.
///
/// # Errors
///
/// [`Error::UnknownTool`], with the nearest name.
pub fn find(name: &str) -> Result<Registered> {
    let known: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    let found = TOOLS.iter().find(|tool| tool.name == name).copied();
    found.ok_or_else(|| Error::UnknownTool {
        asked: name.to_owned(),
        nearest: arrakis_models::ground::nearest::nearest(name, &known),
    })
}
