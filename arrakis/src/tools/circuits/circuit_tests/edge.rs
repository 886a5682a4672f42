//! The edges of a circuit.

use std::fmt;

use arrakis_models::TransformerConfig;
use serde::{Deserialize, Serialize};

use super::part::CircuitPart;
use crate::tools::intervene::path_patching::HeadInput;

/// What one part writes, as one other reads it. Its label is `L0H1 → L1H0.k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CircuitEdge {
    /// What writes; `None` for the sum of the embeddings.
    pub from: Option<CircuitPart>,
    /// What reads.
    pub into: EdgeEnd,
}

/// What reads an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeEnd {
    /// The query, the key or the value of a head. With grouped heads, keys and values are numbered by key head.
    Head {
        /// The layer, from 0.
        layer: usize,
        /// The head in the layer, from 0.
        head: usize,
        /// Which of its inputs; not all of them at once.
        input: HeadInput,
    },
    /// The MLP of a layer.
    Mlp {
        /// The layer, from 0.
        layer: usize,
    },
    /// The logits, through the final norm.
    Logits,
}

/// The inputs of a head.
pub(super) const INPUTS: [HeadInput; 3] = [HeadInput::Query, HeadInput::Key, HeadInput::Value];

impl CircuitEdge {
    /// Whether what is written is there when it is read.
    pub(super) fn is_forward(self, config: &TransformerConfig) -> bool {
        let Some(from) = self.from else { return true };
        match self.into {
            EdgeEnd::Head { layer, .. } => from.layer() < layer,
            EdgeEnd::Mlp { layer } => {
                from.layer() < layer || (from.layer() == layer && from.head().is_some() && !config.is_parallel())
            }
            EdgeEnd::Logits => true,
        }
    }
}

impl EdgeEnd {
    pub(super) fn is_in(self, config: &TransformerConfig) -> bool {
        match self {
            Self::Head { layer, head, input } => layer < config.n_layers && head < count(config, input),
            Self::Mlp { layer } => layer < config.n_layers,
            Self::Logits => true,
        }
    }

    /// Everything that reads, in the order of a forward.
    pub(super) fn all(config: &TransformerConfig) -> Vec<Self> {
        let heads = |layer, input| (0..count(config, input)).map(move |head| Self::Head { layer, head, input });
        let block = |layer| INPUTS.into_iter().flat_map(move |input| heads(layer, input)).chain([Self::Mlp { layer }]);
        (0..config.n_layers).flat_map(block).chain([Self::Logits]).collect()
    }
}

/// The heads that have this input of their own.
pub(super) fn count(config: &TransformerConfig, input: HeadInput) -> usize {
    match input {
        HeadInput::Query => config.n_heads,
        HeadInput::Key | HeadInput::Value => config.n_kv_heads,
        HeadInput::All => 0,
    }
}

impl fmt::Display for EdgeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { layer, head, input } => write!(f, "L{layer}H{head}{}", input.suffix()),
            Self::Mlp { layer } => write!(f, "L{layer} mlp"),
            Self::Logits => f.write_str("logits"),
        }
    }
}

impl fmt::Display for CircuitEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(part) => write!(f, "{part} → {}", self.into),
            None => write!(f, "embeddings → {}", self.into),
        }
    }
}
