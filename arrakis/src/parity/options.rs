//! Options of a comparison.

/// Options of a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParityOptions {
    /// Replaces the reference's own tolerance, both absolute and relative.
    pub tolerance: Option<f64>,
}
