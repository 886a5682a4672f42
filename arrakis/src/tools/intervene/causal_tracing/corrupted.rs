//! Prompts whose subject is corrupted, and the states that are restored in their runs.

use arrakis_models::{HookedTransformer, Tokens};

use super::noise::{self, Level};
use super::refuse::{NAME, refuse};
use super::restored::{Restored, around};
use super::runs::Runs;
use super::trace::Trace;
use crate::error::Result;
use crate::tools::place::StreamPosition;
use crate::tools::shared::scan::with_runs;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite};
use crate::tools::{Layer, Metric, Position, ScoreTable, Scores};

/// Prompts with a subject, and the noise that corrupts it.
#[derive(Clone, Debug)]
pub struct Corrupted {
    model: HookedTransformer,
    prompts: Tokens,
    subject: Vec<usize>,
    level: Level,
    seeds: usize,
    seed: u64,
    window: Option<usize>,
    /// The noise of a reference, `[seed][subject token * d_model]`.
    #[cfg(test)]
    given: Option<Vec<Vec<f32>>>,
}

impl Corrupted {
    pub(super) fn new(model: &HookedTransformer, prompts: Tokens, subject: Vec<usize>) -> Self {
        Self {
            model: model.clone(),
            prompts,
            subject,
            level: Level::Times(3.0),
            seeds: 10,
            seed: 0,
            window: None,
            #[cfg(test)]
            given: None,
        }
    }

    /// The standard deviation of the noise, as a multiple of that of the subject's embeddings (all numbers of `embed` at
    /// the subject's tokens, over all prompts). The default is 3, as in the paper.
    #[must_use]
    pub fn times(self, times: f64) -> Self {
        Self { level: Level::Times(times), ..self }
    }

    /// The standard deviation of the noise, in the units of `embed`.
    #[must_use]
    pub fn sd(self, sd: f64) -> Self {
        Self { level: Level::Sd(sd), ..self }
    }

    /// How many draws of noise to average over. The default is 10, as in the paper. Every prompt gets the same draws.
    #[must_use]
    pub fn seeds(self, seeds: usize) -> Self {
        Self { seeds, ..self }
    }

    /// The seed of the first draw; the others follow it. The default is 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How many layers to restore together, around each layer. The default is the paper's: 1 for the stream, 10 for
    /// attention and MLP.
    #[must_use]
    pub fn window(self, layers: usize) -> Self {
        Self { window: Some(layers), ..self }
    }

    /// With the noise of a reference.
    #[cfg(test)]
    pub(super) fn with_noise(self, given: Vec<Vec<f32>>) -> Self {
        Self { seeds: given.len(), given: Some(given), ..self }
    }

    /// The positions of the subject.
    pub fn subject(&self) -> &[usize] {
        &self.subject
    }

    /// The metric with each layer and position restored in turn. The paper's metric is [`Metric::prob`].
    ///
    /// Runs the clean prompts once and the corrupted ones once. Each restoration then starts at its first layer, and
    /// those that start together share forwards: `work` of the result counts them.
    ///
    /// # Errors
    ///
    /// A metric that does not fit the prompts, noise of no strength, no seeds, an empty window, numbers that are not
    /// finite.
    pub fn trace(&self, restored: Restored, metric: &Metric) -> Result<Trace> {
        let window = self.window.unwrap_or(restored.window());
        if window == 0 {
            return Err(refuse("a window of 0 layers restores nothing; give at least 1"));
        }
        let n_layers = self.model.config().n_layers;
        let runs = self.runs(restored, metric)?;
        let positions = common::positions(&self.model, &self.prompts);
        let scores = runs.scan().run::<StreamPosition>(
            (0..n_layers).collect(),
            positions,
            Some(runs.clean_metric),
            |layer, position, label| {
                let layers = around(*layer, window, n_layers);
                runs.case(label, restored, layers, &[position.position as isize])
            },
        )?;
        Ok(Trace {
            scores: self.over_seeds(scores)?,
            restored,
            window,
            subject: self.subject.clone(),
            sd: runs.sd,
            seeds: self.seeds,
            metric: metric.kind(),
            model: short_name(self.model.name()),
        })
    }

    /// The metric of each prompt with all of these layers and positions restored together, averaged over noise seeds:
    /// `[prompt]`. Without a layer or a position it is the metric of the corrupted run.
    ///
    /// # Errors
    ///
    /// Those of [`Corrupted::trace`], and a layer or position out of range.
    pub fn restoring<L: Into<Layer>, P: Into<Position>>(
        &self,
        restored: Restored,
        layers: impl IntoIterator<Item = L>,
        positions: impl IntoIterator<Item = P>,
        metric: &Metric,
    ) -> Result<Vec<f64>> {
        let n_layers = self.model.config().n_layers;
        let layers = layers.into_iter().map(|layer| layer.into().index(n_layers)).collect::<Result<Vec<_>>>()?;
        let at = |position: P| position.into().index(self.prompts.pos()).map(|at| at as isize);
        let positions = positions.into_iter().map(at).collect::<Result<Vec<_>>>()?;
        let runs = self.runs(restored, metric)?;
        let case = runs.case("restored".to_owned(), restored, layers, &positions);
        let found = runs.metric.sweep(&runs.corrupted, &runs.rows, [case])?;
        finite::check_all(NAME, &runs.corrupted, &runs.rows, "the metric", &found.values[0])?;
        Ok(self.each_prompt(&found.values[0]))
    }

    fn runs(&self, restored: Restored, metric: &Metric) -> Result<Runs> {
        if self.seeds == 0 {
            return Err(refuse("no noise seed, so there is nothing to average over; give at least 1"));
        }
        Runs::new(&self.model, &self.prompts, &self.subject, self.level, &self.noise()?, restored, metric)
    }

    /// `[seed][subject token * d_model]`
    fn noise(&self) -> Result<Vec<Vec<f32>>> {
        #[cfg(test)]
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let seeds = (0..self.seeds as u64).map(|draw| self.seed.wrapping_add(draw));
        noise::drawn(seeds, self.subject.len(), self.model.config().d_model)
    }

    /// Scores of `[seed * prompts + prompt]` as scores of `[prompt]`, with the work of the clean forward.
    fn over_seeds(&self, scores: Scores<StreamPosition>) -> Result<Scores<StreamPosition>> {
        let per_prompt = scores.values.per_prompt.iter().map(|cell| self.each_prompt(cell)).collect();
        let ScoreTable { units, rows, columns, .. } = scores.values;
        Ok(Scores {
            baseline_per_prompt: self.each_prompt(&scores.baseline_per_prompt),
            values: ScoreTable::of_prompts(NAME, units, rows, columns, per_prompt)?.measured_on(&self.prompts),
            work: with_runs(scores.work, &self.model, &self.prompts, 1),
            ..scores
        })
    }

    /// The mean over seeds of each prompt.
    fn each_prompt(&self, rows: &[f64]) -> Vec<f64> {
        let batch = self.prompts.batch();
        let of_prompt = |prompt: usize| rows.iter().skip(prompt).step_by(batch).copied().collect::<Vec<f64>>();
        (0..batch).map(|prompt| mean(&of_prompt(prompt))).collect()
    }
}

/// The last part of a model's folder or id.
fn short_name(name: &str) -> String {
    name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(name).to_owned()
}
