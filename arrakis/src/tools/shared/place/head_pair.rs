//! Two heads, one after the other.

use serde::{Deserialize, Serialize};

use super::{Head, Place};

/// A head that writes and a later one that reads. Its label is `L0H1 → L1H0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadPair {
    /// The earlier head.
    pub writer: Head,
    /// The later head.
    pub reader: Head,
}

impl Place for HeadPair {
    type Row = Head;
    type Column = Head;
    const AXES: [&'static str; 2] = ["writer", "reader"];

    fn at(row: &Head, column: &Head) -> Self {
        Self { writer: *row, reader: *column }
    }

    fn row_label(row: &Head) -> String {
        row.label()
    }

    fn column_label(column: &Head) -> String {
        column.label()
    }

    fn label(&self) -> String {
        format!("{} → {}", self.writer.label(), self.reader.label())
    }
}
