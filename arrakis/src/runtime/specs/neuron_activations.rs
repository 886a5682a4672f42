//! `neuron_activations`: the distribution of the most active neurons over tokens.

use super::array::{Array, mean};
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{Panel, Violin};

/// The number of neurons that are shown if none are named.
const MOST: usize = 10;

/// One panel for each site, one violin for each neuron, over all tokens of all prompts. By default those with the
/// largest mean magnitude, largest first.
pub(super) struct NeuronActivations;

impl Spec for NeuronActivations {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.mlp.post"]
    }

    fn takes(&self) -> Takes {
        Takes::Vectors
    }

    fn options(&self) -> &'static [&'static str] {
        &["neurons"]
    }

    fn averages(&self) -> bool {
        true
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let panel = |site: &String| {
            let tokens: Vec<Vec<f64>> = run.prompts(site)?.iter().flat_map(Array::rows).collect();
            let shown = Violin::new("neuron", "activation").titled(asked.titled(site));
            let add = |shown: Violin, neuron: usize| shown.group(neuron, tokens.iter().map(|token| token[neuron]));
            Ok(asked.chosen_neurons(&strengths(&tokens), MOST)?.into_iter().fold(shown, add).into())
        };
        asked.sites.iter().map(panel).collect()
    }
}

/// The mean magnitude of each neuron, from `[token][neuron]`.
pub(super) fn strengths(tokens: &[Vec<f64>]) -> Vec<f64> {
    let count = tokens.first().map_or(0, Vec::len);
    (0..count).map(|neuron| mean(tokens.iter().map(|token| token[neuron].abs()))).collect()
}
