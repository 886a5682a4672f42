//! A tool by its name.

use super::{Registered, TOOLS};
use crate::error::{Error, Result};

/// Looks up a tool by its name or an alias.
///
/// # Errors
///
/// [`Error::UnknownTool`], with the nearest name.
pub fn find(name: &str) -> Result<Registered> {
    let known: Vec<&str> = TOOLS.iter().flat_map(Registered::names).collect();
    let found = TOOLS.iter().find(|tool| tool.names().any(|known| known == name)).copied();
    found.ok_or_else(|| Error::UnknownTool {
        asked: name.to_owned(),
        nearest: arrakis_models::ground::nearest::nearest(name, &known),
    })
}
