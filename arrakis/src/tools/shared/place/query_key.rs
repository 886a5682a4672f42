//! A query and a key.

use serde::{Deserialize, Serialize};

use super::{Place, TokenAt};

/// A query and a key of an attention pattern. Its label is `14 to → 3 Mary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryKey {
    /// The query's position, from 0, padding counted.
    pub query: usize,
    /// The key's position, from 0, padding counted.
    pub key: usize,
    /// The query's token, as its id.
    #[serde(default)]
    pub query_id: u32,
    /// The key's token, as its id.
    #[serde(default)]
    pub key_id: u32,
    /// The query's token.
    pub query_token: String,
    /// The key's token.
    pub key_token: String,
}

impl Place for QueryKey {
    type Row = TokenAt;
    type Column = TokenAt;
    const AXES: [&'static str; 2] = ["query", "key"];

    fn at(row: &TokenAt, column: &TokenAt) -> Self {
        Self {
            query: row.position,
            key: column.position,
            query_id: row.id,
            key_id: column.id,
            query_token: row.token.clone(),
            key_token: column.token.clone(),
        }
    }

    fn row_label(row: &TokenAt) -> String {
        row.token.clone()
    }

    fn column_label(column: &TokenAt) -> String {
        column.token.clone()
    }

    fn label(&self) -> String {
        format!("{} {} → {} {}", self.query, self.query_token.trim(), self.key, self.key_token.trim())
    }
}
