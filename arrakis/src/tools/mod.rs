//! Tools. Each one answers one question about a model and has a file of its own. Folders group them by what is done to
//! the model.
//!
//! A tool is a struct that is built from a model. `#[use_tools]` fills in a function's tool arguments by type;
//! [`Bench::tool`](crate::Bench::tool) builds one by hand. A tool of your own needs only this:
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
//!     fn new(model: &HookedTransformer) -> Result<Self> {
//!         Ok(Self { n_layers: model.config().n_layers })
//!     }
//! }
//!
//! #[use_tools]
//! fn how_deep(bench: &Bench, #[tool] depth: Depth) -> Result<usize> {
//!     Ok(depth.n_layers)
//! }
//! ```
//!
//! # Cost
//!
//! The page of a tool says how many passes each of its methods runs at most. Building a tool runs none.
//!
//! - `layers` and `heads` are those of the model. `prompts`, `positions` and `tokens` (their product, padding included) are
//!   those of the prompts. Other words are settings of the call.
//! - `fit(n, tokens)` is the number of forwards for `n` copies of so many tokens: a forward holds 2048 tokens, but at least
//!   one copy. It is 1 for a few prompts. A sweep's forwards hold fewer where 2048 tokens take more than 512 MiB
//!   ([`rows_per_forward`](arrakis_models::HookedTransformer::rows_per_forward)).
//! - Edits of a sweep share forwards: those of a later layer join the forward of earlier ones, and near positions start
//!   together where that costs less.
//! - A forward that starts or stops inside the model counts like a whole one. Edits that change nothing run no forward.
//!
//! [`count_passes`](arrakis_models::count_passes) counts the passes of your own code.

mod find;
mod registry;
mod shared;
mod tool;

pub use find::find;
pub use registry::Registered;
pub use shared::answer::Answer;
pub use shared::factored_matrix::FactoredMatrix;
pub use shared::metric::Metric;
pub use shared::metric_change::MetricChange;
pub use shared::patch_pair::{PatchFrom, PatchInto};
pub use shared::place;
pub use shared::position::{Layer, Position};
pub use shared::prompt_pairs::{Halves, PromptPair, PromptPairs};
pub use shared::score_table::{Score, ScoreTable};
pub use shared::scores::Scores;
pub use shared::tested::{PromptTest, Tested, TestedPlace};
pub use tool::Tool;

#[cfg(test)]
pub(crate) use shared::testing;
#[cfg(test)]
mod costs;

registry::tools! {
    /// What a run contains, read as it is.
    observe {
        attention_patterns AttentionPatterns known_as [attention],
        head_detector HeadDetector with [HeadKind, Repeated],
        k_prober KProber with [Ranking],
        polysemanticity Polysemanticity,
    }
    /// Which parts a number comes from.
    attribute {
        attribution_patching AttributionPatching,
        direct_logit_attribution DirectLogitAttribution known_as [logit],
        knowledge_neurons KnowledgeNeurons known_as [knowledge],
        residual_decomposition ResidualDecomposition known_as [decomposer, residual],
    }
    /// What changes when a part is changed.
    intervene {
        ablation Ablation with [AblationKind, DivergenceAt, HeadAt, OptimalConstant],
        activation_patching ActivationPatching with [HeadSite, StreamSite],
        causal_tracing CausalTracing known_as [causal] with [Restored],
        merge_heads MergeHeads,
        path_patching PathPatching with [HeadInput, Receiver, Sender, Through],
    }
    /// Whether a set of parts is the circuit of a behaviour.
    circuits {
        causal_scrubbing CausalScrubbing with [Node],
        circuit_tests CircuitTests with [CircuitEdge, CircuitPart, EdgeEnd],
    }
    /// What the parts of a layer stand for, and how they share its dimensions.
    features {
        feature_viz FeatureViz with [DreamSearch, EmbeddingSearch, ExampleSearch],
        monosemanticity Monosemanticity known_as [sae] with [DictionaryRecipe],
        sparsity Sparsity with [PruneScope],
        superposition Superposition with [Negatives],
    }
    /// The residual stream, read as tokens.
    lenses {
        logit_lens LogitLens,
        tuned_lens TunedLens with [Training],
    }
    /// The model itself, changed.
    surgery {
        model_surgery ModelSurgery known_as [surgery],
    }
    /// What the weights say without a prompt.
    weights {
        composer Composer with [Composition, RandomBaseline],
        kg_extractor KgExtractor with [Circuit, CircuitSide],
        write_read WriteRead,
    }
}
