//! What a checkpoint says about each tensor.

use burn::tensor::DType;

/// What a header says about a tensor.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its element type; `None` if Burn does not have it, in which case the tensor does not hold weights.
    pub dtype: Option<DType>,
    /// What its file calls the element type.
    pub stored_as: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Entry {
    /// Whether weights can be read from it.
    pub fn is_float(&self) -> bool {
        self.float().is_some()
    }

    /// Its element type, if weights can be read from it.
    pub(super) fn float(&self) -> Option<DType> {
        self.dtype.filter(DType::is_float)
    }
}
