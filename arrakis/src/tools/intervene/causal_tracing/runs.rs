//! The clean run, and the model of the corrupted one.

use arrakis_models::{Activation, HookedTransformer, Intervention, Plan, SweepCase, Tokens, site};
use burn::tensor::Tensor;

use super::noise::{Level, corrupted};
use super::refuse::NAME;
use super::restored::Restored;
use crate::error::Result;
use crate::tools::Metric;
use crate::tools::shared::finite;
use crate::tools::shared::scan::Scan;
use crate::tools::shared::score_table::mean;

/// What every restoration of one kind shares.
pub(super) struct Runs {
    /// The model with noise on the subject.
    pub(super) corrupted: HookedTransformer,
    /// The prompts once for each seed.
    pub(super) rows: Tokens,
    pub(super) metric: Metric,
    /// The clean states of each layer, for each row or for all of them.
    clean: Vec<Activation>,
    /// The metric of the clean run, averaged over prompts.
    pub(super) clean_metric: f64,
    /// The standard deviation of the noise.
    pub(super) sd: f64,
}

impl Runs {
    /// Runs the clean prompts once. `noise` is `[seed][subject token * d_model]`.
    pub(super) fn new(
        model: &HookedTransformer,
        prompts: &Tokens,
        subject: &[usize],
        level: Level,
        noise: &[Vec<f32>],
        restored: Restored,
        metric: &Metric,
    ) -> Result<Self> {
        let plan = Plan::new().capture(site::embed()).capture(site::every(restored.site()));
        let clean = model.run(prompts, plan)?;
        let clean_metric = metric.of_each(model, &clean.output, prompts)?;
        finite::check_all(NAME, model, prompts, "the metric", &clean_metric)?;
        let sd = level.sd(&clean.cache.get::<3>(site::embed())?, subject)?;
        let times = if prompts.batch() == 1 { 1 } else { noise.len() };
        let of_layer = |layer: usize| -> Result<Activation> {
            let states: Tensor<3> = clean.cache.get(restored.site()(layer))?;
            Ok(Activation::new(states.repeat_dim(0, times)))
        };
        Ok(Self {
            corrupted: corrupted(model, prompts, subject, noise, sd)?,
            rows: prompts.repeated(noise.len()),
            metric: metric.repeated(noise.len()),
            clean: (0..model.config().n_layers).map(of_layer).collect::<Result<_>>()?,
            clean_metric: mean(&clean_metric),
            sd,
        })
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        Scan { tool: NAME, model: &self.corrupted, tokens: &self.rows, metric: &self.metric }
    }

    /// The layers and positions restored together.
    pub(super) fn case(
        &self,
        label: String,
        restored: Restored,
        layers: impl IntoIterator<Item = usize>,
        positions: &[isize],
    ) -> SweepCase {
        let none = SweepCase { label, edits: Vec::new() };
        layers.into_iter().fold(none, |case, layer| {
            let patch = Intervention::patch(&self.clean[layer]).positions(positions.iter().copied());
            case.and(restored.site()(layer), patch)
        })
    }
}
