//! What an architecture has to say.

use super::{HfConfig, WeightMap};
use crate::error::Result;
use crate::transformer::TransformerConfig;

/// One architecture of Hugging Face, translated.
#[derive(Debug)]
pub struct Family {
    /// The values of `model_type` it answers to.
    pub model_types: &'static [&'static str],
    /// Reads `config.json`; refuses by name what it does not honour.
    pub config: fn(&HfConfig) -> Result<TransformerConfig>,
    /// Where each of our tensors is found in a checkpoint.
    pub weights: fn(&TransformerConfig) -> WeightMap,
}
