//! One weight of an attention pattern.

use serde::{Deserialize, Serialize};

use super::{Head, Place, TokenAt};

/// A head and one of its queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadQuery {
    /// The head.
    pub head: Head,
    /// The query's position and token.
    pub query: TokenAt,
}

/// One weight of a head's pattern. Its label is `L9H6 14 → 3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternWeight {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0.
    pub head: usize,
    /// The query's position, from 0, padding counted.
    pub query: usize,
    /// The key's position, from 0, padding counted.
    pub key: usize,
}

impl Place for PatternWeight {
    type Row = HeadQuery;
    type Column = TokenAt;
    const AXES: [&'static str; 2] = ["head and query", "key"];

    fn at(row: &HeadQuery, column: &TokenAt) -> Self {
        Self { layer: row.head.layer, head: row.head.head, query: row.query.position, key: column.position }
    }

    fn row_label(row: &HeadQuery) -> String {
        format!("{} {}", row.head.label(), row.query.token)
    }

    fn column_label(column: &TokenAt) -> String {
        column.token.clone()
    }

    fn label(&self) -> String {
        format!("L{}H{} {} → {}", self.layer, self.head, self.query, self.key)
    }
}
