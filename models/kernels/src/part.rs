//! What one task of a product computes.

/// Some columns of a product.
pub(crate) struct Part<'a, 'o, T> {
    /// `[rows, d_in]`
    pub(crate) x: &'a [f32],
    pub(crate) d_in: usize,
    /// The weight from its first column that is asked for.
    pub(crate) weight: &'a [T],
    /// From one row of the weight to the next, or from one column to the next: the axis that is not contiguous.
    pub(crate) stride: usize,
    /// Added to each row.
    pub(crate) bias: Option<&'a [f32]>,
    /// Each row's columns.
    pub(crate) out: &'o mut [&'a mut [f32]],
    /// Of the `panel_length` of the loops.
    pub(crate) panel: &'o mut [f32],
}
