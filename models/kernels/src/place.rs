//! Where weights are read, and where sums are written.

/// Columns whose weights are copied together. The columns of a task are a multiple of this, which whole tiles fill.
pub(crate) const GRAIN: usize = 48;

/// Terms that are summed one after another. Their sums are then added up.
///
/// In some models one entry of the stream is in the tens of thousands, and adding small terms to it loses their low bits.
/// This confines the loss to one such sum.
pub(crate) const RUN: usize = 128;

/// Numbers in a line of the cache, and in a vector of the widest kind.
pub(crate) const LINE: usize = 16;

/// Rows of weights in single precision, a multiple of [`LINE`] apart.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) stride: usize,
}

/// Where a tile writes.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The first column.
    pub(crate) from: usize,
    pub(crate) width: usize,
    /// Whether these are the first terms of the sums.
    pub(crate) first: bool,
    /// Added after the last terms.
    pub(crate) bias: Option<&'a [f32]>,
}
