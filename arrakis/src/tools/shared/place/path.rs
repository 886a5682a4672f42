//! A path between two parts of the model.

use serde::{Deserialize, Serialize};

use super::Place;

/// A path from a sender to a receiver. Its label is `L0H1 → L1H0.k`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// What is sent: `L0H1`, `L0 mlp` or `L0 resid`.
    pub sender: String,
    /// What receives: `L1H0.k`, `L1H0`, `L1 mlp`, `L1 resid` or `logits`.
    pub receiver: String,
}

impl Place for Path {
    type Row = String;
    type Column = String;
    const AXES: [&'static str; 2] = ["sender", "receiver"];

    fn at(row: &String, column: &String) -> Self {
        Self { sender: row.clone(), receiver: column.clone() }
    }

    fn row_label(row: &String) -> String {
        row.clone()
    }

    fn column_label(column: &String) -> String {
        column.clone()
    }

    fn label(&self) -> String {
        format!("{} → {}", self.sender, self.receiver)
    }
}
