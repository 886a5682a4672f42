//! Architectures. Each file reads one kind of `config.json` into our options and maps its weight names.
//!
//! To add one: write its file, and add one row to the list `families!`.

mod activation;
mod check;
mod decoder;
mod experts;
mod family;
mod harmless;
mod hf_config;
mod hooked_transformer;
mod image_text;
mod keys;
mod layers;
#[cfg(test)]
mod published;
mod quantised;
mod rewrite;
mod rope;
#[cfg(test)]
mod tests;
mod tokenizer_class;
mod weights;

pub use family::Family;
pub use hf_config::HfConfig;
pub(crate) use hooked_transformer::is_hooked_transformer;
pub(crate) use image_text::text_config;
pub(crate) use rewrite::rewritten;
pub(crate) use tokenizer_class::{overrules_tokenizer_class, tokenizer_class};
pub use weights::{Cut, Weight, WeightMap};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::ground::nearest::nearest_alike;
use crate::transformer::TransformerConfig;

/// Declares the families. A row is the file and its constant.
macro_rules! families {
    ($($file:ident $FAMILY:ident,)*) => {
        $(mod $file;)*

        /// Every supported architecture.
        pub const FAMILIES: &[&Family] = &[$(&$file::$FAMILY),*];
    };
}

families! {
    gpt2 GPT2,
    gpt_neo GPT_NEO,
    gpt_neox GPT_NEOX,
    llama LLAMA,
    gemma GEMMA,
    phi3 PHI3,
    qwen2 QWEN2,
    mistral MISTRAL,
    stablelm STABLELM,
    gemma2 GEMMA2,
    gemma3 GEMMA3,
    qwen3 QWEN3,
    phi PHI,
    gptj GPTJ,
    opt OPT,
    bloom BLOOM,
    falcon FALCON,
    olmo2 OLMO2,
    mixtral MIXTRAL,
    bert BERT,
    qwen2_moe QWEN2_MOE,
    qwen3_moe QWEN3_MOE,
    olmo OLMO,
    olmo3 OLMO3,
    olmoe OLMOE,
    smollm3 SMOLLM3,
    granite GRANITE,
    cohere2 COHERE2,
    starcoder2 STARCODER2,
    glm4 GLM4,
    gpt_oss GPT_OSS,
    nemotron NEMOTRON,
}

/// Names less alike than this are not misspellings of each other. No name here is close to `t5`.
const ALIKE: f64 = 0.5;

/// The architecture a `config.json` of Hugging Face describes, in the spelling of transformers 4 or 5. Of a model that
/// also reads images it is the language model. A config of `HookedTransformer` has no `model_type`.
///
/// # Errors
///
/// [`Error::UnknownArchitecture`], or [`Error::Config`] for a key that is not known or not valid, and for an
/// encoder-decoder.
pub fn config(json: Value) -> Result<TransformerConfig> {
    let hf = HfConfig::new(hooked_transformer::named(text_config(json)))?;
    hf.refuse_if(
        "is_encoder_decoder",
        true,
        false,
        "an encoder-decoder with cross attention has two residual streams, and models here have one; give a decoder such as gpt2, or an encoder such as bert",
    )?;
    let family = family(hf.family())?;
    hf.refuse_quantised()?;
    let config = (family.config)(&hf)?;
    config.check()?;
    Ok(config)
}

/// The family of a `model_type`.
///
/// # Errors
///
/// [`Error::UnknownArchitecture`] naming the nearest.
pub fn family(model_type: &str) -> Result<&'static Family> {
    let known = known();
    let own = std::iter::once(&&hooked_transformer::HOOKED_TRANSFORMER);
    let found = FAMILIES.iter().chain(own).find(|family| family.model_types.contains(&model_type));
    found.copied().ok_or_else(|| Error::UnknownArchitecture {
        asked: hf_config::shortened(model_type.escape_debug().to_string()),
        nearest: nearest_alike(model_type, &known, ALIKE),
        known,
    })
}

/// Every `model_type` that can be loaded.
pub fn known() -> Vec<String> {
    FAMILIES.iter().flat_map(|family| family.model_types).map(ToString::to_string).collect()
}
