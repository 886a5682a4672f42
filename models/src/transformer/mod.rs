//! The one transformer. Each part is a `#[hooked]` Burn module, each architecture a choice of options.

mod attention;
mod block;
mod clamped_gate;
mod context;
mod embed;
mod linear;
mod mlp;
mod moe;
mod net;
mod norm;
mod rotary;
mod sinks;
mod source;

pub use crate::config::{
    ActivationKind, BlockLayout, ClampedGate, Experts, LayerSettings, NormKind, NormPlacement, Positions, QkNorm, Rope,
    RopeScaling, TransformerConfig,
};
pub use attention::Attention;
pub use block::{Block, Neurons, NoNeurons};
pub use context::{Context, KvCache, LayerContext};
pub use embed::{Embedding, Unembedding};
pub use linear::Linear;
pub use mlp::Mlp;
pub use moe::MixtureOfExperts;
pub use net::Transformer;
pub use norm::Norm;
pub use source::{Init, RandomSource, Source};
