//! The ends of a path, and what it may pass through.

use arrakis_models::TransformerConfig;
use serde::{Deserialize, Serialize};

use super::order::{End, HeadInput, Reads, Start, Writes};
use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::{Layer, Position};

/// What a path may pass through between its sender and its receiver. Attention between them is always frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Through {
    /// The residual stream alone, with the MLPs frozen: the direct path.
    #[default]
    Stream,
    /// The stream and the MLPs, which are recomputed (Wang et al., appendix B).
    Mlps,
}

/// A part of the model whose output is replaced with that of the source run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    layer: Layer,
    writes: Writes,
    position: Option<Position>,
}

/// A part of the model whose input changes by what the sender writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// None for the logits.
    layer: Option<Layer>,
    reads: Reads,
    position: Option<Position>,
}

impl Sender {
    fn new(layer: impl Into<Layer>, writes: Writes) -> Self {
        Self { layer: layer.into(), writes, position: None }
    }

    /// What a head writes.
    pub fn head(layer: impl Into<Layer>, head: usize) -> Self {
        Self::new(layer, Writes::Head(head))
    }

    /// What an MLP writes.
    pub fn mlp(layer: impl Into<Layer>) -> Self {
        Self::new(layer, Writes::Mlp)
    }

    /// The whole stream entering a block. That of block 0 is the sum of the embeddings.
    pub fn resid(layer: impl Into<Layer>) -> Self {
        Self::new(layer, Writes::Resid)
    }

    /// Only what it writes at this position of each prompt.
    #[must_use]
    pub fn at(self, position: impl Into<Position>) -> Self {
        Self { position: Some(position.into()), ..self }
    }

    /// The place of this sender in a model.
    pub(in crate::tools) fn of(self, config: &TransformerConfig) -> Result<Start> {
        let layer = self.layer.index(config.n_layers)?;
        if let Writes::Head(head) = self.writes {
            common::within("head", head, config.n_heads)?;
        }
        Ok(Start { layer, writes: self.writes, position: self.position })
    }
}

impl Receiver {
    fn new(layer: impl Into<Layer>, reads: Reads) -> Self {
        Self { layer: Some(layer.into()), reads, position: None }
    }

    /// One input of a head. With grouped heads, keys and values are numbered by key head.
    pub fn head(layer: impl Into<Layer>, head: usize, input: HeadInput) -> Self {
        Self::new(layer, Reads::Head(input, head))
    }

    /// An MLP.
    pub fn mlp(layer: impl Into<Layer>) -> Self {
        Self::new(layer, Reads::Mlp)
    }

    /// The stream entering a block: every path that goes on from there. With other receivers before it, the stream
    /// receives the change in addition to theirs.
    pub fn resid(layer: impl Into<Layer>) -> Self {
        Self::new(layer, Reads::Resid)
    }

    /// The logits, through the final norm.
    pub fn logits() -> Self {
        Self { layer: None, reads: Reads::Resid, position: None }
    }

    /// Only what it reads at this position of each prompt.
    #[must_use]
    pub fn at(self, position: impl Into<Position>) -> Self {
        Self { position: Some(position.into()), ..self }
    }

    /// The place of this receiver in a model.
    pub(in crate::tools) fn of(self, config: &TransformerConfig) -> Result<End> {
        let layer = self.layer.map_or(Ok(config.n_layers), |layer| layer.index(config.n_layers))?;
        match self.reads {
            Reads::Head(HeadInput::Key | HeadInput::Value, head) => {
                common::within("key head", head, config.n_kv_heads)?;
            }
            Reads::Head(_, head) => common::within("head", head, config.n_heads)?,
            Reads::Mlp | Reads::Resid => {}
        }
        Ok(End { layer, reads: self.reads, position: self.position, last: config.n_layers })
    }
}
