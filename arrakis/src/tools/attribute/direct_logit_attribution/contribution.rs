//! What contributes to a logit, and the name of the tool that tells.

use serde::{Deserialize, Serialize};

/// What the tool calls itself.
pub(super) const NAME: &str = "direct_logit_attribution";

/// What contributes to a logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// `embed`, `pos_embed`, `L9H6`, `3_mlp_out`, `bias` (attention's output biases) or `unembed_bias` (of the
    /// final norm and the unembedding).
    pub label: String,
    /// The block, where it is in one.
    pub layer: Option<usize>,
    /// The head, where it is one.
    pub head: Option<usize>,
    /// In nats; the mean over prompts where there are several.
    pub value: f64,
    /// For each prompt, `[prompt]`.
    pub per_prompt: Vec<f64>,
}
