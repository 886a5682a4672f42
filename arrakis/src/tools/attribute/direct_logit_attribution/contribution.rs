//! One component's contribution, and the tool's name.

use serde::{Deserialize, Serialize};

/// The tool's name.
pub(super) const NAME: &str = "direct_logit_attribution";

/// One component's contribution to a logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// `embed`, `pos_embed`, `L9H6`, `3_mlp_out`, `bias` (attention's output biases) or `unembed_bias` (of the
    /// final norm and the unembedding).
    pub label: String,
    /// The layer; none for an embedding or a bias.
    pub layer: Option<usize>,
    /// The head in the layer; none for other components.
    pub head: Option<usize>,
    /// The contribution in nats, averaged over prompts.
    pub value: f64,
    /// The same for each prompt, in nats: `[prompt]`.
    pub per_prompt: Vec<f64>,
}
