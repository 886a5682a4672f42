//! An attention head.

use serde::{Deserialize, Serialize};

use super::Place;

/// An attention head. Its label is `L9H6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0; for keys and values, the group.
    pub head: usize,
}

impl Place for Head {
    type Row = usize;
    type Column = usize;
    const AXES: [&'static str; 2] = ["layer", "head"];

    fn at(row: &usize, column: &usize) -> Self {
        Self { layer: *row, head: *column }
    }

    fn row_label(row: &usize) -> String {
        format!("L{row}")
    }

    fn column_label(column: &usize) -> String {
        format!("H{column}")
    }

    fn label(&self) -> String {
        format!("L{}H{}", self.layer, self.head)
    }
}
