//! Tools: one question about a model each, one file each.
//!
//! A tool is a struct that a [`Bench`] can make. `#[use_tools]` fills in the arguments of a function by
//! their types; a tool of your own needs no more than this:
//!
//! ```
//! use arrakis::prelude::*;
//!
//! struct Depth {
//!     n_layers: usize,
//! }
//!
//! impl Tool for Depth {
//!     const NAME: &'static str = "depth";
//!     fn from_bench(bench: &Bench) -> Result<Self> {
//!         Ok(Self { n_layers: bench.model().config().n_layers })
//!     }
//! }
//!
//! #[use_tools]
//! fn how_deep(bench: &Bench, #[tool] depth: Depth) -> Result<usize> {
//!     Ok(depth.n_layers)
//! }
//! ```

mod common;
pub mod factored;
pub mod metric;
mod patching_variants;
pub mod prompt_pairs;
mod stream;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use factored::FactoredMatrix;
pub use metric::{Metric, Position};
pub use prompt_pairs::PromptPairs;
pub use table::{Score, ScoreTable};

use crate::bench::Bench;
use crate::error::Result;

/// Something a bench can make, to look at its model with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an arrakis tool",
    label = "not a tool",
    note = "implement `arrakis::Tool` for it: a `NAME`, and `fn from_bench(bench: &Bench) -> Result<Self>`"
)]
pub trait Tool: Sized {
    /// The name in messages, and in `#[use_tools("..")]` for the tools of this crate.
    const NAME: &'static str;

    /// Makes the tool; the model's handles are cheap to clone.
    ///
    /// # Errors
    ///
    /// Where the model lacks what the tool needs.
    fn from_bench(bench: &Bench) -> Result<Self>;
}

/// Declares the tools: the file, its type, and the name `#[use_tools("..")]` knows it by.
macro_rules! tools {
    ($($(#[$meta:meta])* $name:ident $kind:ident,)*) => {
        $(
            $(#[$meta])*
            pub mod $name;
            pub use $name::$kind;
        )*

        /// Every tool by the name `#[use_tools("..")]` knows it by.
        #[allow(non_camel_case_types, reason = "the names are those of variables")]
        pub mod by_name {
            $(
                #[doc = concat!("[`", stringify!($kind), "`](super::", stringify!($kind), ").")]
                pub type $name = super::$kind;
            )*
        }

        /// Every tool's type, for the prelude.
        pub mod all {
            $(pub use super::$kind;)*
        }

        /// The registered names.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

tools! {
    ablation Ablation,
    activation_patching ActivationPatching,
    attention_patterns AttentionPatterns,
    attribution_patching AttributionPatching,
    direct_logit_attribution DirectLogitAttribution,
    head_detector HeadDetector,
    logit_lens LogitLens,
    residual ResidualDecomposition,
    write_read WriteRead,
}
