//! Dictionaries of features: sparse autoencoders and transcoders.
//!
//! A [`Dictionary`] encodes an activation into many latents, few of which are active, and writes them back as a sum of
//! directions. What an encoder computes and what it is trained on is one file per architecture, in `architectures/`.

pub mod architectures;
mod aux_k;
mod batch;
mod config;
mod cross_layer;
#[allow(clippy::module_inception, reason = "the folder's main type")]
mod dictionary;
mod fingerprint;
mod fold;
mod formats;
mod init;
mod loss;
mod metadata;
mod normalization;
mod p_anneal;
mod parameters;
#[cfg(test)]
mod parity;
mod pass;
mod shapes;
mod splice;
mod straight_through;
#[cfg(test)]
mod testing;
mod top;

pub use architectures::{Architecture, Objective};
pub use aux_k::{AuxK, AuxScale};
pub use batch::Batch;
pub use config::DictionaryConfig;
pub use cross_layer::CrossLayer;
pub use dictionary::{Dictionary, GateParameters};
pub use fold::Affine;
pub use formats::DictionaryOptions;
pub use init::{Init, geometric_median};
pub use loss::{Losses, Term};
pub use metadata::Metadata;
pub use normalization::Normalization;
pub use p_anneal::PAnneal;
pub use parameters::{Gate, Parameters};
pub use splice::Splicing;
