//! Tests that cross crates: one binary, with a module for each subject.
//!
//! A module's name selects it: `cargo test --workspace --test laws conformance::`.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod adapters;
mod attributes;
mod broken;
mod chat;
mod conformance;
mod dtypes;
mod embedded_claims;
mod every_family;
mod five_hundred_runs;
mod floors;
mod generation;
mod gguf;
mod gradients;
mod hooked_bodies;
mod hooked_transformer;
mod image_text;
mod inspect_tokens;
mod limited_memory;
mod loading_memory;
mod mutations;
mod new_crate;
mod padded_vocabulary;
mod parity;
mod shards;
mod sites_table;
#[cfg(feature = "smollm2")]
mod smollm2;
mod stopping;
mod surgery;
mod tokenizer_folders;
mod tokenizers;
mod tools_tl;
mod ui;
mod walkthrough;
