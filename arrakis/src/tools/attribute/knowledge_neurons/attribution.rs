//! The attributions of neurons, and the knowledge neurons among them.

use serde::{Deserialize, Serialize};

use super::path::LayerAttribution;
use crate::error::{Error, Result};
use crate::tools::ScoreTable;
use crate::tools::place::Neuron;
use crate::tools::shared::score_table::mean;

/// The tool's name.
pub(super) const NAME: &str = "knowledge_neurons";

/// What the neurons of each layer do for a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronAttribution {
    /// The attribution of each neuron in the metric's units, averaged over prompts: `[layer][neuron]`.
    pub values: ScoreTable<Neuron>,
    /// The metric, averaged over prompts.
    pub clean: f64,
    /// The metric without the neurons of each layer at the position, averaged over prompts: `[layer]`.
    pub without: Vec<f64>,
}

impl NeuronAttribution {
    pub(super) fn new(metric: &str, clean: &[f64], layers: Vec<LayerAttribution>) -> Result<Self> {
        let (mut cells, mut without) = (Vec::new(), Vec::new());
        for layer in layers {
            cells.extend(layer.neurons);
            without.push(mean(&layer.without));
        }
        let (rows, neurons) = ((0..without.len()).collect(), (0..cells.len() / without.len().max(1)).collect());
        let units = format!("share of {metric}");
        Ok(Self { values: ScoreTable::of_prompts(NAME, units, rows, neurons, cells)?, clean: mean(clean), without })
    }

    /// The metric minus the metric without each layer's neurons: what their attributions add up to, `[layer]`.
    pub fn total(&self) -> Vec<f64> {
        self.without.iter().map(|without| self.clean - without).collect()
    }

    /// How far the sum of each layer's attributions is from its total, `[layer]`. More steps make it smaller.
    pub fn gap(&self) -> Vec<f64> {
        let sums = self.values.values.iter().map(|row| row.iter().sum::<f64>());
        sums.zip(self.total()).map(|(sum, total)| (sum - total).abs()).collect()
    }

    /// The neurons with at least `threshold` of the largest attribution of a prompt, in at least `share` of the prompts,
    /// strongest first. The paper starts with 0.2 and 0.7.
    ///
    /// # Errors
    ///
    /// A threshold or share outside 0 to 1, and prompts in which no attribution is positive.
    pub fn refined(&self, threshold: f64, share: f64) -> Result<Vec<Neuron>> {
        for (name, value) in [("threshold", threshold), ("share", share)] {
            if !(value > 0.0 && value <= 1.0) {
                return Err(refuse(format!("the {name} is {value}; give a number above 0 and up to 1")));
            }
        }
        let cells = &self.values.per_prompt;
        let prompts = cells.first().map_or(0, Vec::len);
        let most = |prompt: usize| cells.iter().map(|cell| cell[prompt]).fold(f64::NEG_INFINITY, f64::max);
        let most: Vec<f64> = (0..prompts).map(most).collect();
        if let Some(prompt) = most.iter().position(|most| *most <= 0.0) {
            return Err(refuse(format!("no neuron has a positive attribution in prompt {prompt}; leave it out")));
        }
        let shared = |cell: &Vec<f64>| {
            let strong = cell.iter().zip(&most).filter(|(value, most)| **value >= threshold * **most).count();
            strong as f64 >= share * prompts as f64
        };
        let mut found: Vec<_> =
            self.values.cells().zip(cells).filter(|(_, cell)| shared(cell)).map(|(cell, _)| cell).collect();
        found.sort_by(|a, b| b.value.total_cmp(&a.value));
        Ok(found.into_iter().map(|cell| cell.place).collect())
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> NeuronAttribution {
        let layer = |neurons: Vec<Vec<f64>>| LayerAttribution { neurons, without: vec![0.0, 0.2] };
        let layers = vec![layer(vec![vec![0.1, 0.3], vec![0.5, 0.01]]), layer(vec![vec![-0.4, 0.2], vec![0.2, 0.1]])];
        NeuronAttribution::new("p(1)", &[0.7, 0.5], layers).unwrap()
    }

    #[test]
    fn totals_gaps_and_refinement_by_hand() {
        let found = found();
        assert_eq!(found.values.units, "share of p(1)");
        let close = |a: &[f64], b: [f64; 2]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}");
        close(&found.total(), [0.5, 0.5]);
        close(&found.gap(), [(0.2_f64 + 0.255 - 0.5).abs(), (-0.1_f64 + 0.15 - 0.5).abs()]);
        // The largest are 0.5 and 0.3; 0.2 of them are 0.1 and 0.06.
        let neuron = |layer, neuron| Neuron { layer, neuron };
        assert_eq!(found.refined(0.2, 1.0).unwrap(), [neuron(0, 0), neuron(1, 1)]);
        assert_eq!(found.refined(0.2, 0.5).unwrap(), [neuron(0, 1), neuron(0, 0), neuron(1, 1), neuron(1, 0)]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = found().refined(0.0, 0.7).unwrap_err().to_string();
        assert_eq!(error, "knowledge_neurons: the threshold is 0; give a number above 0 and up to 1");
        let layer = LayerAttribution { neurons: vec![vec![-0.1]], without: vec![0.0] };
        let none = NeuronAttribution::new("p(1)", &[0.7], vec![layer]).unwrap();
        let error = none.refined(0.2, 0.7).unwrap_err().to_string();
        assert_eq!(error, "knowledge_neurons: no neuron has a positive attribution in prompt 0; leave it out");
    }
}
