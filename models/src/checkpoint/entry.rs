//! What a checkpoint lists of each tensor.

use burn::tensor::DType;

/// What a header says of a tensor.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its element type; none where Burn has none for it, which then holds no weights.
    pub dtype: Option<DType>,
    /// What its file calls the element type.
    pub stored_as: String,
    /// Its length.
    pub bytes: u64,
}

impl Entry {
    /// Whether weights can be read from it.
    pub fn is_float(&self) -> bool {
        self.dtype.is_some_and(|dtype| dtype.is_float())
    }
}
