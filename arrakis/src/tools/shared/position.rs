//! Positions of a prompt.

use arrakis_models::Tokens;

use super::common;
use crate::error::Result;

/// Which position of a prompt a tool looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// The last real token of each row.
    #[default]
    Last,
    /// This position of every row, from 0; padding does not count.
    Index(usize),
}

impl From<usize> for Position {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Position {
    /// The slot in each row of a batch, padding counted.
    ///
    /// # Errors
    ///
    /// Out of range in some row, with the valid range.
    pub fn of(self, tokens: &Tokens) -> Result<Vec<usize>> {
        let Self::Index(index) = self else { return Ok(tokens.last_positions()) };
        let slot = |real: &Vec<bool>| {
            let mut own = real.iter().enumerate().filter(|(_, real)| **real).map(|(slot, _)| slot);
            common::within("position", index, own.clone().count())?;
            Ok(own.nth(index).expect("BUG: the position was checked"))
        };
        tokens.real().iter().map(slot).collect()
    }
}
