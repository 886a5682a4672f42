//! Hookable Burn transformers that match Hugging Face's numbers.
//!
//! One transformer whose every named tensor can be read, edited and differentiated, and a small
//! translation file for each architecture. This crate has sites and hooks, but no tools and no benches.

// `#[hooked]` writes `::arrakis::` paths; in this crate they lead here.
extern crate self as arrakis;

pub mod checkpoint;
pub mod config;
pub mod dictionary;
pub mod families;
pub mod generate;
pub mod ground;
pub mod hooks;
mod kernels;
pub mod model;
pub mod optimizer;
pub mod processing;
pub mod site;
pub mod surgery;
mod svd;
pub mod sweep;
pub mod tokenizer;
pub mod tokens;
pub mod transformer;

pub use config::TransformerConfig;
pub use generate::{Generated, Generation};
pub use ground::error::{Error, Result};
pub use ground::read::{LastPosition, TensorRead};
pub use ground::{dev_profile, device, error, files, progress};
pub use hooks::{
    Action, Activation, ActivationCache, At, Capture, Edit, Effect, GradientEdit, Intervention, Outcome, Passes, Plan,
    Reduction, Rows, SitePattern, Splice, Vector, count_passes,
};
pub use kernels::log_softmax;
pub use model::{
    Cost, HookedAutoConfig, HookedAutoModel, HookedTransformer, IntoTokens, LoadOptions, RunOptions, Statistics,
    TopToken, TopTokens,
};
pub use processing::Step;
pub use svd::{Svd, SvdOfColumns, svd, svd_of_columns};
pub use sweep::{Shard, ShardResult, Sweep, SweepCase, SweepResult, SweepWork};
pub use tokenizer::{Bos, Chat, ChatOptions, Encoded, Message, Occurrence, Tokenizer, Turn};
pub use tokens::{Side, Tokens};

#[doc(hidden)]
pub mod __private {
    pub use crate::hooks;
}
