//! A position of the residual stream in one layer.

use serde::{Deserialize, Serialize};

use super::{Place, TokenAt};

/// A position of the residual stream in one layer. Its label is `L3@7 Mary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// The layer, from 0.
    pub layer: usize,
    /// The position, from 0, padding counted.
    pub position: usize,
    /// The token there.
    pub token: String,
}

impl Place for StreamPosition {
    type Row = usize;
    type Column = TokenAt;
    const AXES: [&'static str; 2] = ["layer", "position"];

    fn at(row: &usize, column: &TokenAt) -> Self {
        Self { layer: *row, position: column.position, token: column.token.clone() }
    }

    fn row_label(row: &usize) -> String {
        format!("L{row}")
    }

    fn column_label(column: &TokenAt) -> String {
        column.token.clone()
    }

    fn label(&self) -> String {
        format!("L{}@{} {}", self.layer, self.position, self.token.trim())
    }
}
