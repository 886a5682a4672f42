//! What a push or a pull did.

use std::fmt;

/// What a push or a pull did. Names are relative to the folder of the records, with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that were not there, or were shorter.
    pub copied: Vec<String>,
    /// Files that are equal, and logs that are longer there.
    pub there: usize,
    /// Files that differ. Neither was changed.
    pub differ: Vec<String>,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} copied, {} there already", self.copied.len(), self.there)?;
        self.differ.iter().try_for_each(|name| write!(f, "\ndiffers, and neither was changed: {name}"))
    }
}
