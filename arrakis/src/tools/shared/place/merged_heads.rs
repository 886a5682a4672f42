//! Two heads of one layer.

use serde::{Deserialize, Serialize};

use super::{Head, Place};

/// Two heads of one layer that are merged. Its label is `L9H6 + L9H9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedHeads {
    /// The layer, from 0.
    pub layer: usize,
    /// The first head, from 0.
    pub first: usize,
    /// The second head, from 0.
    pub second: usize,
}

impl Place for MergedHeads {
    type Row = Head;
    type Column = Head;
    const AXES: [&'static str; 2] = ["first", "second"];

    fn at(row: &Head, column: &Head) -> Self {
        Self { layer: row.layer, first: row.head, second: column.head }
    }

    fn row_label(row: &Head) -> String {
        row.label()
    }

    fn column_label(column: &Head) -> String {
        column.label()
    }

    fn label(&self) -> String {
        format!("L{0}H{1} + L{0}H{2}", self.layer, self.first, self.second)
    }
}
