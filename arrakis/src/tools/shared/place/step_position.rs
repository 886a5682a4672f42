//! A position of the residual stream at one depth.

use serde::{Deserialize, Serialize};

use super::{Place, TokenAt};

/// A position of the residual stream at one depth. Its label is `1_mid@7 Mary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPosition {
    /// The depth: one of `0_pre, 0_mid, 1_pre, …, final_post`.
    pub step: String,
    /// The position, from 0, padding counted.
    pub position: usize,
    /// The token there.
    pub token: String,
}

impl Place for StepPosition {
    type Row = String;
    type Column = TokenAt;
    const AXES: [&'static str; 2] = ["stream", "position"];

    fn at(row: &String, column: &TokenAt) -> Self {
        Self { step: row.clone(), position: column.position, token: column.token.clone() }
    }

    fn row_label(row: &String) -> String {
        row.clone()
    }

    fn column_label(column: &TokenAt) -> String {
        column.token.clone()
    }

    fn label(&self) -> String {
        format!("{}@{} {}", self.step, self.position, self.token.trim())
    }
}
