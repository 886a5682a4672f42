//! A neuron.

use serde::{Deserialize, Serialize};

use super::Place;

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
