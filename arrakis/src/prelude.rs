//! Everything an experiment needs: `use arrakis::prelude::*;`.

pub use arrakis_macros::{hooked, log_experiment, plot_results, profile_model, test_hypothesis, use_tools};
pub use arrakis_models::{
    ActivationCache, At, Edit, Generation, HookedAutoConfig, HookedAutoModel, HookedTransformer, Intervention, Plan,
    SweepCase, Tokens, site,
};
pub use arrakis_models::{LastPosition as _, TensorRead as _};
pub use burn::tensor::Tensor;

pub use crate::bench::Bench;
pub use crate::error::{Error, Result};
pub use crate::hypothesis::{Alternative, Claim, Null, Sample, Test, Verdict};
pub use crate::plot::{Attention, Bar, Bars, Figure, Heatmap, Histogram, Line, Scatter, Series, Violin};
pub use crate::tools::all::*;
pub use crate::tools::{Metric, Position, PromptPair, PromptPairs, ScoreTable, Scores, Tool};
