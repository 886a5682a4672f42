//! An expert of a mixture.

use serde::{Deserialize, Serialize};

use super::Place;

/// An expert of a mixture. Its label is `L3E5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Expert {
    /// The layer, from 0.
    pub layer: usize,
    /// The expert in the layer, from 0.
    pub expert: usize,
}

impl Place for Expert {
    type Row = usize;
    type Column = usize;
    const AXES: [&'static str; 2] = ["layer", "expert"];

    fn at(row: &usize, column: &usize) -> Self {
        Self { layer: *row, expert: *column }
    }

    fn row_label(row: &usize) -> String {
        format!("L{row}")
    }

    fn column_label(column: &usize) -> String {
        format!("E{column}")
    }

    fn label(&self) -> String {
        format!("L{}E{}", self.layer, self.expert)
    }
}
