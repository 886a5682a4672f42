//! Architectures: each file reads one kind of `config.json` into our options and maps its weight names.
//!
//! To add one: write its file, and add it to [`FAMILIES`].

mod activation;
mod bert;
mod bloom;
mod check;
mod decoder;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod hf_config;
mod layers;
mod llama;
mod mistral;
mod mixtral;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod rope;
mod stablelm;
#[cfg(test)]
mod tests;
mod weights;

pub use hf_config::HfConfig;
pub use weights::{Cut, Weight, WeightMap};

use crate::error::{Error, Result};
use crate::ground::nearest::nearest;
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

/// Every architecture there is: one line each.
pub const FAMILIES: &[&Family] = &[
    &gpt2::GPT2,
    &gpt_neo::GPT_NEO,
    &gpt_neox::GPT_NEOX,
    &llama::LLAMA,
    &gemma::GEMMA,
    &phi3::PHI3,
    &qwen2::QWEN2,
    &mistral::MISTRAL,
    &stablelm::STABLELM,
    &gemma2::GEMMA2,
    &gemma3::GEMMA3,
    &qwen3::QWEN3,
    &phi::PHI,
    &gptj::GPTJ,
    &opt::OPT,
    &bloom::BLOOM,
    &falcon::FALCON,
    &olmo2::OLMO2,
    &mixtral::MIXTRAL,
    &bert::BERT,
];

/// Names less alike than this are no misspelling of each other: nothing here is meant by `t5`.
const ALIKE: f64 = 0.5;

/// The family of a `model_type`.
///
/// # Errors
///
/// [`Error::UnknownArchitecture`] naming the nearest.
pub fn family(model_type: &str) -> Result<&'static Family> {
    let known = known();
    let found = FAMILIES.iter().find(|family| family.model_types.contains(&model_type));
    found.copied().ok_or_else(|| Error::UnknownArchitecture {
        asked: hf_config::shortened(model_type.escape_debug().to_string()),
        nearest: nearest(model_type, &known)
            .filter(|near| strsim::normalized_damerau_levenshtein(model_type, near) >= ALIKE),
        known,
    })
}

/// Every `model_type` that can be loaded.
pub fn known() -> Vec<String> {
    FAMILIES.iter().flat_map(|family| family.model_types).map(ToString::to_string).collect()
}
