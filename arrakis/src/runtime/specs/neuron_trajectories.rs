//! `neuron_trajectories`: the most active neurons from token to token.

use super::captured::Captured;
use super::neuron_activations::strengths;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{Line, Panel, Series};

/// The number of neurons that are shown if none are named.
const MOST: usize = 5;

/// One panel for each site, one line for each neuron over the positions. By default those with the largest mean
/// magnitude, largest first.
pub(super) struct NeuronTrajectories;

impl Spec for NeuronTrajectories {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.mlp.post"]
    }

    fn takes(&self) -> Takes {
        Takes::Vectors
    }

    fn options(&self) -> &'static [&'static str] {
        &["neurons"]
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let panel = |site: &String| {
            let tokens = run.only(site)?.rows();
            let shown = Line::new("position", "activation").titled(asked.titled(site));
            let add = |shown: Line, neuron: usize| {
                shown.series(Series::by_index(format!("neuron {neuron}"), tokens.iter().map(|token| token[neuron])))
            };
            Ok(asked.chosen_neurons(&strengths(&tokens), MOST)?.into_iter().fold(shown, add).into())
        };
        asked.sites.iter().map(panel).collect()
    }
}
