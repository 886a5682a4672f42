//! One site, and its full name.

use std::fmt;

use super::info::SiteInfo;

/// One site of the table in one layer. Code makes it with a typed constructor, the command line with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub(super) layer: Option<usize>,
    pub(super) expert: Option<usize>,
    pub(super) row: &'static SiteInfo,
}

impl Site {
    /// A row with as many indices (layer, expert) as its name takes.
    pub(super) fn of(row: &'static SiteInfo, indices: &[usize]) -> Self {
        Self { layer: indices.first().copied(), expert: indices.get(1).copied(), row }
    }

    /// The block it is in, if it is in one.
    pub fn layer(&self) -> Option<usize> {
        self.layer
    }

    /// The expert it belongs to, if any.
    pub fn expert(&self) -> Option<usize> {
        self.expert
    }

    /// Its row in the table.
    pub fn row(&self) -> &'static SiteInfo {
        self.row
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blocks.{layer}.")?;
        }
        match (self.row.name.split_once('*'), self.expert) {
            (Some((before, after)), Some(expert)) => write!(f, "{before}{expert}{after}"),
            _ => f.write_str(self.row.name),
        }
    }
}
