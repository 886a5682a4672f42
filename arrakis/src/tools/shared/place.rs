//! What a score belongs to: typed coordinates.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a row or a column of a table stands for.
pub trait Coordinate: Clone + Debug + PartialEq + Serialize + DeserializeOwned {}

impl<T: Clone + Debug + PartialEq + Serialize + DeserializeOwned> Coordinate for T {}

/// What the scores of a table belong to: heads, positions, neurons.
///
/// A scan over something else is a struct with one `impl Place`.
pub trait Place: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// What a row stands for.
    type Row: Coordinate;
    /// What a column stands for.
    type Column: Coordinate;
    /// What the rows and the columns are.
    const AXES: [&'static str; 2];

    /// The place in a row and a column.
    fn at(row: &Self::Row, column: &Self::Column) -> Self;

    /// The name of a row, for figures.
    fn row_label(row: &Self::Row) -> String;

    /// The name of a column, for figures.
    fn column_label(column: &Self::Column) -> String;

    /// The name of the place: `L9H6`.
    fn label(&self) -> String;
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAt {
    /// The position, from 0, padding counted.
    pub position: usize,
    /// The token's text, or its id without a tokenizer; of the first row where there are several.
    pub token: String,
}

/// An attention head. Its label is `L9H6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0; of keys and values the group.
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

/// A neuron. Its label is `L3N117`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neuron {
    /// The layer, from 0.
    pub layer: usize,
    /// The neuron in the layer's MLP, from 0.
    pub neuron: usize,
}

impl Place for Neuron {
    type Row = usize;
    type Column = usize;
    const AXES: [&'static str; 2] = ["layer", "neuron"];

    fn at(row: &usize, column: &usize) -> Self {
        Self { layer: *row, neuron: *column }
    }

    fn row_label(row: &usize) -> String {
        format!("L{row}")
    }

    fn column_label(column: &usize) -> String {
        format!("N{column}")
    }

    fn label(&self) -> String {
        format!("L{}N{}", self.layer, self.neuron)
    }
}

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

/// One head at one position. Its label is `L9H6@14 to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadPosition {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0; of keys and values the group.
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

/// A query and a key of an attention pattern. Its label is `14 to → 3 Mary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryKey {
    /// The position that looks, from 0.
    pub query: usize,
    /// The position looked at, from 0.
    pub key: usize,
    /// The token that looks.
    pub query_token: String,
    /// The token looked at.
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

/// A head and one of its queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadQuery {
    /// The head.
    pub head: Head,
    /// The position that looks.
    pub query: TokenAt,
}

/// One weight of a head's pattern. Its label is `L9H6 14 → 3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternWeight {
    /// The layer, from 0.
    pub layer: usize,
    /// The head in the layer, from 0.
    pub head: usize,
    /// The position that looks, from 0.
    pub query: usize,
    /// The position looked at, from 0.
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

/// A position of the stream at one depth. Its label is `1_mid@7 Mary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPosition {
    /// `0_pre, 0_mid, 1_pre, …, final_post`.
    pub step: String,
    /// The position, from 0.
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
