//! What a score belongs to: typed coordinates.

mod expert;
mod head;
mod head_pair;
mod head_position;
mod merged_heads;
mod neuron;
mod path;
mod pattern_weight;
mod query_key;
mod step_position;
mod stream_position;
mod sublayer;

pub use expert::Expert;
pub use head::Head;
pub use head_pair::HeadPair;
pub use head_position::HeadPosition;
pub use merged_heads::MergedHeads;
pub use neuron::Neuron;
pub use path::Path;
pub use pattern_weight::{HeadQuery, PatternWeight};
pub use query_key::QueryKey;
pub use step_position::StepPosition;
pub use stream_position::StreamPosition;
pub use sublayer::{Sublayer, SublayerPart};

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hypothesis::Search;

/// What a row or a column of a table stands for.
pub trait Coordinate: Clone + Debug + PartialEq + Serialize + DeserializeOwned {}

impl<T: Clone + Debug + PartialEq + Serialize + DeserializeOwned> Coordinate for T {}

/// What the scores of a table belong to, such as heads, positions or neurons.
///
/// For a scan over something else, write a struct with one `impl Place`.
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

/// A place, and the search that chose it: a [`Score`](crate::tools::Score) that a ranking chose, or a bare place, which no
/// search chose.
pub trait Chosen<P: Place> {
    /// The place.
    fn place(&self) -> &P;

    /// The search, if there was one.
    fn search(&self) -> Option<&Search>;
}

impl<P: Place> Chosen<P> for P {
    fn place(&self) -> &P {
        self
    }

    fn search(&self) -> Option<&Search> {
        None
    }
}

/// A token and its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAt {
    /// The position, from 0, padding counted.
    pub position: usize,
    /// The token's id; in a batch, that of the first row.
    #[serde(default)]
    pub id: u32,
    /// The token's text, or its id without a tokenizer; in a batch, that of the first row.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_where_it_is() {
        let at = |position: usize, token: &str| TokenAt { position, id: 0, token: token.into() };
        let head = Head { layer: 9, head: 6 };
        let weight = HeadQuery { head, query: at(4, " to") };
        assert_eq!(head.label(), "L9H6");
        assert_eq!(Neuron { layer: 3, neuron: 117 }.label(), "L3N117");
        assert_eq!(Expert { layer: 3, expert: 5 }.label(), "L3E5");
        assert_eq!(Sublayer { layer: 3, part: SublayerPart::Mlp }.label(), "L3 mlp");
        assert_eq!(StreamPosition::at(&3, &at(7, " Mary")).label(), "L3@7 Mary");
        assert_eq!(HeadPosition::at(&head, &at(4, " to")).label(), "L9H6@4 to");
        assert_eq!(QueryKey::at(&at(4, " to"), &at(3, " Mary")).label(), "4 to → 3 Mary");
        assert_eq!(PatternWeight::at(&weight, &at(3, " Mary")).label(), "L9H6 4 → 3");
        assert_eq!(HeadPair::at(&Head { layer: 0, head: 1 }, &head).label(), "L0H1 → L9H6");
        assert_eq!(MergedHeads::at(&head, &Head { layer: 9, head: 9 }).label(), "L9H6 + L9H9");
        assert_eq!(Path::at(&"L0H1".into(), &"L1H0.k".into()).label(), "L0H1 → L1H0.k");
        assert_eq!(StepPosition::at(&"1_mid".into(), &at(7, " Mary")).label(), "1_mid@7 Mary");
    }
}
