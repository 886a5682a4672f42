//! Choices an architecture makes for each of its parts.

use serde::{Deserialize, Serialize};

/// A neuron's nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// `x Φ(x)`, exact (Hendrycks and Gimpel, 2016).
    Gelu,
    /// GELU's tanh approximation.
    GeluTanh,
    /// `x σ(1.702 x)`.
    QuickGelu,
    /// `max(0, x)`.
    Relu,
    /// `max(0, x)²`.
    Relu2,
    /// `x σ(x)`.
    Silu,
    /// `x softmax(x)`, over all neurons of the layer (Elhage et al., 2022).
    Solu,
    /// `tanh(x)`.
    Tanh,
    /// `x`.
    Identity,
}

/// What a norm does before its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Centres, then divides by the standard deviation (Ba et al., 2016).
    LayerNorm,
    /// Divides by the root mean square (Zhang and Sennrich, 2019).
    Rms,
    /// Root mean square with weight `1 + w` (Gemma).
    RmsOffset,
    /// LayerNorm with weight `1 + w` (Nemotron).
    LayerNormOffset,
}

impl NormKind {
    /// Whether it centres first.
    pub fn centres(self) -> bool {
        matches!(self, Self::LayerNorm | Self::LayerNormOffset)
    }

    /// Whether its weight counts from one.
    pub fn is_offset(self) -> bool {
        matches!(self, Self::RmsOffset | Self::LayerNormOffset)
    }
}

/// Where a block's norms sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlacement {
    /// Before attention and before the MLP.
    Pre,
    /// Before and after both (Gemma 2).
    Sandwich,
    /// Only after both, before their outputs are added (`OLMo` 2).
    PostOutput,
    /// After each addition to the stream (the original transformer, OPT-350m).
    PostResidual,
    /// Nowhere (some models of `HookedTransformer`).
    None,
    /// Before both, and what attention and MLP write is added to the norm's output instead of the stream (BLOOM's
    /// `apply_residual_connection_post_layernorm`).
    Carried,
}

/// How attention and MLP share a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockLayout {
    /// The MLP reads what attention wrote.
    Serial,
    /// Both read `resid_pre`, each through its own norm.
    Parallel,
    /// Both read `resid_pre` through one norm.
    ParallelSharedNorm,
}

/// A norm on queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// None.
    None,
    /// Over `d_head`, one weight for all heads (Qwen 3, Gemma 3).
    Head,
    /// Over `d_head`, one weight and bias for all heads (Phi, where its config asks for it).
    HeadBiased,
    /// Over `d_head`, with a weight for each head (`StableLM` 2).
    PerHead,
    /// Over all heads at once (`OLMo` 2).
    Full,
}

/// A mixture of experts (Shazeer et al., 2017; Mixtral).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experts {
    /// Number of experts.
    pub count: usize,
    /// Number of experts each token uses; their probabilities are renormalised to sum to one.
    pub per_token: usize,
    /// Whether the chosen experts keep their probabilities among all experts instead (`OLMoE`).
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub keeps_probabilities: bool,
    /// Whether the router has a bias (gpt-oss).
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub router_bias: bool,
    /// Number of neurons of an expert that every token uses, behind a gate of its own (Qwen 2).
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub shared: Option<usize>,
}

impl Experts {
    /// Experts of which each token uses some, as in Mixtral.
    pub const fn new(count: usize, per_token: usize) -> Self {
        Self { count, per_token, keeps_probabilities: false, router_bias: false, shared: None }
    }
}

/// The gate of gpt-oss: `(clamp(linear, -limit, limit) + 1) * g σ(slope g)` with `g = min(gate, limit)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClampedGate {
    /// Factor inside the sigmoid.
    pub slope: f64,
    /// Largest gate, and largest size of the linear half.
    pub limit: f64,
}
