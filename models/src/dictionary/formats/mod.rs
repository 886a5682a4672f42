//! How published dictionaries are stored: a format a file.

mod format;
pub(super) mod load;
mod names;
mod place;
mod python_json;
mod sae_lens_save;
mod sites;
pub(super) mod tensors;
#[cfg(test)]
mod tests;

use crate::error::Result;
use format::{Found, register};
pub use load::DictionaryOptions;
use place::Place;

/// Every format: its file, what it is called, and its files, that which tells it first. One that starts with `/` is in the
/// root of a repository. The first format that is there is read. A new format is a file and a row here.
macro_rules! formats {
    ($make:ident) => {
        $make! {
            /// Formats of folders.
            FORMATS {
                sae_lens "SAELens" ["sae_weights.safetensors", "cfg.json"];
                sparsify "sparsify" ["sae.safetensors", "cfg.json", "../config.json"];
                gemma_scope "Gemma Scope" ["params.npz"];
                gemma_scope_2 "Gemma Scope 2" ["params.safetensors", "config.json"];
                llama_scope "Llama Scope" ["checkpoints/final.safetensors", "hyperparams.json"];
                dictionary_learning "dictionary_learning" ["ae.safetensors", "config.json"];
                dictionary_learning_pickle "dictionary_learning" ["ae.pt", "config.json"];
            }
            /// Formats of single files: the tensor that tells them, and the ends of their names.
            SINGLE {
                circuit_tracer "circuit-tracer" ["W_enc", "safetensors"];
                qwen_scope "Qwen Scope" ["W_enc", "pt"];
                open_ai "OpenAI" ["pre_bias", "pt"];
                linear "Goodfire" ["encoder_linear.weight", "pt", "pth"];
            }
        }
    };
}

formats!(register);

pub(super) use circuit_tracer::value as yaml_value;
pub(super) use sites::site as site_of;
