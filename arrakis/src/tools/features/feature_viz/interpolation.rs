//! The way from one neuron to another, in activation space.

use arrakis_models::{Intervention, IntoTokens, Plan, TopTokens, log_softmax, site};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{FeatureViz, refuse};
use crate::error::Result;
use crate::plot::{Line, Series};
use crate::tools::shared::{common, finite};
use crate::tools::{Layer, Metric, Position, Tool};

/// The output on the way from one neuron to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interpolation {
    /// The share of the way, `[step]`: 0 is the first neuron alone, 1 the second.
    pub alphas: Vec<f64>,
    /// The metric at each step, `[step]`, in its units.
    pub values: Vec<f64>,
    /// The metric with nothing added.
    pub baseline: f64,
    /// Kullback-Leibler divergence of the next token's distribution from the unedited one, `[step]`, in nats.
    pub kl: Vec<f64>,
    /// The likeliest next tokens at each step.
    pub top: Vec<TopTokens>,
    /// The metric's name and units.
    pub units: String,
}

impl Interpolation {
    /// The metric along the way.
    pub fn line(&self) -> Line {
        Line::new("share of the second neuron", self.units.clone()).series(Series::new(
            "metric",
            self.alphas.clone(),
            self.values.clone(),
        ))
    }
}

impl FeatureViz {
    /// Adds `strength · ((1 - α) e₁ + α e₂)` to the neurons (`mlp.post`) of a layer at the last token, for `steps` values
    /// of α from 0 to 1. The layer's `mlp.out` moves by `strength · ((1 - α) W_out[n₁] + α W_out[n₂])` and nothing else.
    ///
    /// All steps and the unedited prompt are one forward. `strength` is in the units of an activation; a neuron's highest
    /// activation on a corpus is a good choice.
    ///
    /// # Errors
    ///
    /// More than one prompt, a layer or a neuron out of range, fewer than 2 steps, a strength of 0, a mixture of experts,
    /// a metric that does not fit, numbers that are not finite.
    pub fn interpolate(
        &self,
        prompt: impl IntoTokens,
        layer: impl Into<Layer>,
        [first, second]: [usize; 2],
        strength: f32,
        steps: usize,
        metric: &Metric,
    ) -> Result<Interpolation> {
        let config = self.model.config();
        let layer = layer.into().index(config.n_layers)?;
        self.model.w_out(layer)?;
        [first, second].into_iter().try_for_each(|neuron| common::within("neuron", neuron, config.d_mlp))?;
        if steps < 2 || strength == 0.0 || !strength.is_finite() {
            let problem = format!(
                "{steps} steps at strength {strength} go nowhere; give at least 2 steps, and a strength other than 0"
            );
            return Err(refuse(problem));
        }
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let alphas: Vec<f64> = (0..steps).map(|step| step as f64 / (steps - 1) as f64).collect();
        let batch = tokens.repeated(steps + 1);
        let step = |plan: Plan, (row, alpha): (usize, &f64)| {
            let mut added = vec![0.0; config.d_mlp];
            added[first] += 1.0 - *alpha as f32;
            added[second] += *alpha as f32;
            let edit = Intervention::add(added, strength).rows([row + 1]).positions([-1]);
            plan.edit(site::mlp_post(layer), edit)
        };
        let plan = alphas.iter().enumerate().fold(Plan::new(), step);
        let logits = self.model.run(&batch, plan)?.output;
        let mut values = metric.of_each(&self.model, &logits, &batch)?;
        finite::check_all(Self::NAME, &self.model, &tokens, "the metric", &values)?;
        let baseline = values.remove(0);
        let (kl, top) = self.last(&logits, Position::LAST.of(&tokens)?[0])?;
        Ok(Interpolation { alphas, values, baseline, kl, top, units: metric.units(&self.model) })
    }

    /// Each edited row's divergence from row 0 at a position, and its likeliest tokens.
    fn last(&self, logits: &Tensor<3>, at: usize) -> Result<(Vec<f64>, Vec<TopTokens>)> {
        let [rows, _, d_vocab] = logits.dims();
        let last = logits.clone().narrow(1, at, 1).reshape([rows, d_vocab]);
        let log_probs = log_softmax(last.clone());
        let clean = log_probs.clone().narrow(0, 0, 1);
        let kl = (clean.clone().exp() * (clean - log_probs)).sum_dim(1);
        let kl = common::numbers(kl)?.split_off(1);
        let logits = arrakis_models::device::read(last)?;
        let top = logits.chunks(d_vocab).skip(1).map(|row| Ok(self.model.top_of(row, d_vocab.min(5))?));
        Ok((kl, top.collect::<Result<_>>()?))
    }
}
