//! What an architecture must provide.

use super::{HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::TransformerConfig;

/// The translation of one Hugging Face architecture.
#[derive(Debug)]
pub struct Family {
    /// The values of `model_type` that select it.
    pub model_types: &'static [&'static str],
    /// Reads `config.json`. A key it does not support is an error that names the key.
    pub config: fn(&HfConfig) -> Result<TransformerConfig>,
    /// Where each of our tensors is found in a checkpoint.
    pub weights: fn(&TransformerConfig) -> WeightMap,
}
