//! Some indices of one axis, counted from either end.

use std::ops::Range;

use crate::error::{Error, Result};

/// Some indices of one axis. A negative index counts from the end: -1 is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slice {
    /// A range of indices.
    Range(Range<usize>),
    /// These indices, in this order; negative ones count from the end.
    Indices(Vec<isize>),
}

impl Slice {
    /// Converts to indices counted from the front.
    pub(in crate::hooks) fn absolute(indices: &[isize], what: &'static str, length: usize) -> Result<Vec<usize>> {
        let absolute = |index: &isize| {
            let place = if *index < 0 { *index + length as isize } else { *index };
            let place = usize::try_from(place).ok().filter(|place| *place < length);
            place.ok_or_else(|| Error::out_of_range(what, *index, length))
        };
        indices.iter().map(absolute).collect()
    }
}

impl From<Range<usize>> for Slice {
    fn from(range: Range<usize>) -> Self {
        Self::Range(range)
    }
}

impl From<isize> for Slice {
    fn from(index: isize) -> Self {
        Self::Indices(vec![index])
    }
}

impl<const N: usize> From<[isize; N]> for Slice {
    fn from(indices: [isize; N]) -> Self {
        Self::Indices(indices.to_vec())
    }
}

impl From<Vec<isize>> for Slice {
    fn from(indices: Vec<isize>) -> Self {
        Self::Indices(indices)
    }
}
