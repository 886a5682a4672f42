#![doc = include_str!("../../README.md")]

// The attributes expand to `::arrakis::` paths, in this crate and its doc tests as well.
extern crate self as arrakis;
#[cfg(feature = "dynamic")]
use arrakis_dylib as _;

pub mod bench;
pub mod cli;
mod context;
pub mod corpus;
pub mod dictionary;
pub mod error;
pub mod experiment;
mod fmt;
#[cfg(test)]
mod from_transformerlens;
#[cfg(feature = "harness")]
pub mod harness;
pub mod hypothesis;
pub mod notebook;
pub mod nulls;
pub mod parity;
pub mod plot;
pub mod prelude;
pub mod profile;
pub mod prompts;
mod runtime;
pub mod shards;
pub mod tools;

pub use arrakis_macros::{
    hooked, hypothesis_suite, log_experiment, plot_results, profile_model, test_hypothesis, tracked, use_tools,
};
pub use arrakis_models as models;
pub use bench::Bench;
pub use context::Handle;
pub use error::{Error, Result};
pub use experiment::Record;
pub use tools::Tool;

/// Called by the code that the attributes expand to; not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use arrakis_models::__private::hooks;

    pub use crate::runtime::*;
}
