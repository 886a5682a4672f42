//! The attention or the MLP of a layer.

use serde::{Deserialize, Serialize};

use super::Place;

/// The attention or the MLP of a layer. Its label is `L3 mlp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sublayer {
    /// The layer, from 0.
    pub layer: usize,
    /// Which of the two.
    pub part: SublayerPart,
}

/// A part of a layer that adds to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SublayerPart {
    /// Attention, `attn_out`.
    Attn,
    /// The MLP, `mlp_out`.
    Mlp,
}

impl Place for Sublayer {
    type Row = usize;
    type Column = SublayerPart;
    const AXES: [&'static str; 2] = ["layer", "part"];

    fn at(row: &usize, column: &SublayerPart) -> Self {
        Self { layer: *row, part: *column }
    }

    fn row_label(row: &usize) -> String {
        format!("L{row}")
    }

    fn column_label(column: &SublayerPart) -> String {
        match column {
            SublayerPart::Attn => "attn".to_owned(),
            SublayerPart::Mlp => "mlp".to_owned(),
        }
    }

    fn label(&self) -> String {
        format!("L{} {}", self.layer, Self::column_label(&self.part))
    }
}
