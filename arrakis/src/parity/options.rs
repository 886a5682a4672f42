//! How to compare.

/// How to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParityOptions {
    /// In place of the reference's own tolerance, both absolute and relative.
    pub tolerance: Option<f64>,
}
