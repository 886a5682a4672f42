//! The way from a layer without neurons to the layer as it is.

use arrakis_models::{Edit, HookedTransformer, Plan, RunOptions, Tokens, site};
use burn::tensor::{Tensor, TensorData};

use crate::error::{Error, Result};
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, Position};

/// Prompts whose neurons are scaled, with the streams of their clean run.
pub(super) struct Path<'a> {
    tool: &'static str,
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    /// Every prompt once for each point of the path: `[point * prompts + prompt]`.
    rows: Tokens,
    metric: Metric,
    positions: Vec<usize>,
    /// The factors of the points: 0, then the middle of each step.
    factors: Vec<f32>,
    clean: Vec<f64>,
    streams: Vec<Tensor<3>>,
}

/// What one layer does.
pub(super) struct LayerAttribution {
    /// `[neuron][prompt]`
    pub(super) neurons: Vec<Vec<f64>>,
    /// The metric without the layer's neurons at the position, `[prompt]`.
    pub(super) without: Vec<f64>,
}

impl<'a> Path<'a> {
    pub(super) fn new(
        tool: &'static str,
        model: &'a HookedTransformer,
        tokens: &'a Tokens,
        position: Position,
        steps: usize,
        metric: &Metric,
    ) -> Result<Self> {
        let outcome = model.run(tokens, Plan::new().capture(site::every(site::resid_pre)))?;
        let clean = metric.of_each(model, &outcome.output, tokens)?;
        finite::check_all(tool, model, tokens, "the metric", &clean)?;
        let layers = 0..model.config().n_layers;
        let streams = layers.map(|layer| Ok(outcome.cache.get::<3>(site::resid_pre(layer))?)).collect::<Result<_>>()?;
        let middle = |step: usize| (step as f32 + 0.5) / steps as f32;
        Ok(Self {
            tool,
            model,
            tokens,
            rows: tokens.repeated(steps + 1),
            metric: metric.repeated(steps + 1),
            positions: position.of(tokens)?,
            factors: std::iter::once(0.0).chain((0..steps).map(middle)).collect(),
            clean,
            streams,
        })
    }

    /// The metric of each prompt, `[prompt]`.
    pub(super) fn clean(&self) -> &[f64] {
        &self.clean
    }

    /// One forward and one backward pass from the layer's block.
    pub(super) fn layer(&self, layer: usize) -> Result<LayerAttribution> {
        let at = site::mlp_post(layer);
        let scale = self.scale();
        let edit = Edit::new(move |post: Tensor<3>| post * scale.clone()).named("scale the neurons");
        let plan = Plan::new().capture(at).edit(at, edit).grad(at);
        let start = self.streams[layer].clone().repeat_dim(0, self.factors.len());
        let outcome = self.model.run_from(&self.rows, plan, Some((layer, start)), &RunOptions::new())?;
        let each = self.metric.per_row(self.model, &outcome.output, &self.rows)?;
        let values = common::numbers(each.clone())?;
        let batch = self.tokens.batch();
        if values.len() != self.rows.batch() {
            let problem = "the metric gives no number for each prompt; choose one that does, such as `Metric::prob`";
            return Err(Error::Tool { tool: self.tool, problem: problem.into() });
        }
        finite::check_all(
            self.tool,
            self.model,
            self.tokens,
            &format!("the metric under scaled neurons of layer {layer}"),
            &values,
        )?;
        let gradients = self.at_position(outcome.gradients(each.sum())?.get(at)?)?;
        let last = self.at_position(outcome.cache.get(at)?)?;
        // The values are those of the last point, which is a known part of the whole.
        let whole = |prompt: usize, neuron: usize| {
            let row = (self.factors.len() - 1) * batch + prompt;
            last[row][neuron] / f64::from(self.factors[self.factors.len() - 1])
        };
        let attribution = |neuron: usize, prompt: usize| {
            let slopes = (1..self.factors.len()).map(|point| gradients[point * batch + prompt][neuron]);
            whole(prompt, neuron) * slopes.sum::<f64>() / (self.factors.len() - 1) as f64
        };
        let of_neuron = |neuron: usize| (0..batch).map(|prompt| attribution(neuron, prompt)).collect();
        let neurons = (0..self.model.config().d_mlp).map(of_neuron).collect();
        Ok(LayerAttribution { neurons, without: values[..batch].to_vec() })
    }

    /// What each row's neurons are multiplied by, `[row, pos, 1]`: 1 at other positions.
    fn scale(&self) -> Tensor<3> {
        let (batch, pos) = (self.tokens.batch(), self.tokens.pos());
        let mut values = vec![1.0_f32; self.rows.batch() * pos];
        for (point, factor) in self.factors.iter().enumerate() {
            for (prompt, at) in self.positions.iter().enumerate() {
                values[(point * batch + prompt) * pos + at] = *factor;
            }
        }
        Tensor::from_data(TensorData::new(values, [self.rows.batch(), pos, 1]), self.model.device())
    }

    /// The numbers at the position of each row, `[row][neuron]`.
    fn at_position(&self, tensor: Tensor<3>) -> Result<Vec<Vec<f64>>> {
        let [rows, pos, width] = tensor.dims();
        let all = common::rows(tensor.reshape([rows * pos, width]))?;
        let batch = self.tokens.batch();
        Ok((0..rows).map(|row| all[row * pos + self.positions[row % batch]].clone()).collect())
    }
}
