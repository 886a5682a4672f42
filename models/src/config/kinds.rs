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
}
