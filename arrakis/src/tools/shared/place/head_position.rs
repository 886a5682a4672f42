//! A head at a position.

use serde::{Deserialize, Serialize};

use super::{Head, Place, TokenAt};

/// One head at one position. Its label is `L9H6@14 to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadPosition {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0; for keys and values, the group.
    pub head: usize,
    /// The position, from 0, padding counted.
    pub position: usize,
    /// The token there.
    pub token: String,
}

impl Place for HeadPosition {
    type Row = Head;
    type Column = TokenAt;
    const AXES: [&'static str; 2] = ["head", "position"];

    fn at(row: &Head, column: &TokenAt) -> Self {
        Self { layer: row.layer, head: row.head, position: column.position, token: column.token.clone() }
    }

    fn row_label(row: &Head) -> String {
        row.label()
    }

    fn column_label(column: &TokenAt) -> String {
        column.token.clone()
    }

    fn label(&self) -> String {
        format!("L{}H{}@{} {}", self.layer, self.head, self.position, self.token.trim())
    }
}
