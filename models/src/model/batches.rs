//! Runs that stop at the last block they need, run in micro-batches, or keep only statistics of a data set.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::memory::Need;
use super::prompt::IntoTokens;
use super::{Cost, HookedTransformer, RunOptions};
use crate::error::{Error, Result};
use crate::hooks::{Activation, ActivationCache, Capture, Effect, Outcome, Plan, Rows, warn_unchanged};
use crate::site::SiteTable;
use crate::tokens::Tokens;

impl HookedTransformer {
    /// The tensors at the sites that fit. The forward pass stops after the deepest block they need and computes logits
    /// only if they are asked for. A batch that does not fit in memory is run in micro-batches.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] naming the nearest, [`Error::TooLarge`] if the captures themselves do not fit.
    pub fn capture<C: Into<Capture>>(
        &self,
        prompt: impl IntoTokens,
        captures: impl IntoIterator<Item = C>,
    ) -> Result<ActivationCache> {
        let tokens = prompt.into_tokens(self)?;
        let plan = captures.into_iter().fold(Plan::new(), Plan::capture);
        plan.check(&self.sites())?;
        let cost = Cost { working: self.working_to_stop(&tokens, &plan), ..self.cost_of(&tokens, &plan) };
        let rows = self.room().map_or(tokens.batch(), |room| rows_that_fit(&cost, tokens.batch(), room.bytes));
        self.capture_in_batches(&tokens, &plan, rows)
    }

    /// The captures of a plan, `rows` rows of the batch at a time.
    ///
    /// Interventions know which rows of the whole batch they see; closures see only the micro-batch.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 rows, [`Error::Unsupported`] for a plan with gradients, and those of a run.
    pub fn capture_in_batches(&self, prompt: impl IntoTokens, plan: &Plan, rows: usize) -> Result<ActivationCache> {
        let tokens = prompt.into_tokens(self)?;
        plan.check(&self.sites())?;
        let cost = self.cost_of(&tokens, plan);
        if rows < tokens.batch() {
            // Joining the parts holds both them and the whole.
            let need = Need { kept: 2 * cost.bytes(), working: 0, rows };
            self.room().map_or(Ok(()), |room| need.within(room))?;
        }
        let stop_at_layer = cost.stop_at_layer.map(|layer| layer as isize);
        let options = RunOptions { stop_at_layer, last_only: false, capture_limit: None };
        let parts = self.parts(&tokens, plan, rows, &options)?;
        ActivationCache::stacked(&parts.into_iter().map(|part| part.cache).collect::<Vec<_>>())
    }

    /// Logits `[batch, pos, d_vocab]` and captures of a plan, `rows` rows of the batch at a time; see
    /// [`HookedTransformer::capture_in_batches`].
    ///
    /// # Errors
    ///
    /// As [`HookedTransformer::capture_in_batches`].
    pub fn run_in_batches(
        &self,
        prompt: impl IntoTokens,
        plan: &Plan,
        rows: usize,
    ) -> Result<(Tensor<3>, ActivationCache)> {
        let tokens = prompt.into_tokens(self)?;
        let parts = self.parts(&tokens, plan, rows, &RunOptions::default())?;
        let (logits, caches): (Vec<_>, Vec<_>) = parts.into_iter().map(|part| (part.output, part.cache)).unzip();
        Ok((Tensor::cat(logits, 0), ActivationCache::stacked(&caches)?))
    }

    fn parts(
        &self,
        tokens: &Tokens,
        plan: &Plan,
        rows: usize,
        options: &RunOptions,
    ) -> Result<Vec<Outcome<Tensor<3>>>> {
        if plan.wants_gradients() {
            return Err(Error::Unsupported {
                what: "a gradient over micro-batches".into(),
                why: "each micro-batch is a separate run; take the gradients batch by batch".into(),
            });
        }
        if rows == 0 {
            return Err(Error::Setting {
                setting: "rows",
                value: "0".into(),
                fix: "give a micro-batch at least one row".into(),
            });
        }
        let total = tokens.batch();
        let part = |first: usize| {
            let own = tokens.rows(first..(first + rows).min(total));
            let placed = Rows::new(&own, &[]).within(first, total);
            self.run_rows(&own, placed, plan.clone().one_of_several(), None, options)
        };
        let parts = (0..total).step_by(rows).map(part).collect::<Result<Vec<_>>>()?;
        let mut effects = vec![Effect::default(); plan.edited().len()];
        for part in &parts {
            effects.iter_mut().zip(&part.effects).for_each(|(sum, effect)| *sum = sum.and(*effect));
        }
        warn_unchanged(&plan.edited(), &effects);
        Ok(parts)
    }

    /// Running statistics of sites over a data set: mean, variance, minimum and maximum of every number on the axes
    /// after the position axis, over all tokens of all batches except padding. Nothing else is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] naming the nearest, [`Error::Unsupported`] for `scores` and `pattern`, whose axes depend
    /// on the prompt, [`Error::EmptyPrompt`] if there are no batches.
    pub fn statistics<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        sites: &[&str],
    ) -> Result<BTreeMap<String, Statistics>> {
        let mut found: BTreeMap<String, Statistics> = BTreeMap::new();
        for batch in batches {
            let tokens = batch.into_tokens(self)?;
            let cache = self.capture(&tokens, sites.iter().copied())?;
            for (site, value) in cache.iter() {
                let statistics = found.entry(site.to_owned()).or_default();
                statistics.add(site, value, tokens.real(), self.splices.sites())?;
            }
        }
        if found.is_empty() { Err(Error::EmptyPrompt) } else { Ok(found) }
    }
}

/// How many rows of a batch to run at a time, so that they fit beside what is kept. The parts are joined at the end, and
/// take their memory twice then.
fn rows_that_fit(cost: &Cost, batch: usize, room: u64) -> usize {
    if cost.bytes().saturating_add(cost.working) <= room {
        return batch;
    }
    let beside = room.saturating_sub(2 * cost.bytes());
    (batch as u64 * beside / cost.working.max(1)).clamp(1, batch as u64) as usize
}

/// Mean and spread of a site over tokens: one number for each index of the axes after the position axis, row-major.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Statistics {
    /// The axes after the position axis.
    pub dims: Vec<usize>,
    /// Number of tokens.
    pub count: u64,
    /// Means.
    pub mean: Vec<f64>,
    /// Sums of squared deviations from the mean.
    squares: Vec<f64>,
    /// Minima.
    pub min: Vec<f32>,
    /// Maxima.
    pub max: Vec<f32>,
}

impl Statistics {
    /// Adds the tokens of a batch (Welford 1962, "Note on a method for calculating corrected sums of squares").
    fn add(&mut self, site: &str, value: &Activation, real: &[Vec<bool>], sites: &SiteTable) -> Result<()> {
        let axes = sites.axes(site).unwrap_or_default();
        if axes.iter().skip(2).any(|axis| axis.is_of_prompt()) {
            return Err(Error::Unsupported {
                what: format!("a statistic of `{site}`"),
                why: "its shape depends on the prompt; capture a reduction of it".into(),
            });
        }
        let width: usize = value.dims()[2..].iter().product();
        if self.count == 0 {
            self.dims = value.dims()[2..].to_vec();
            (self.mean, self.squares) = (vec![0.0; width], vec![0.0; width]);
            (self.min, self.max) = (vec![f32::INFINITY; width], vec![f32::NEG_INFINITY; width]);
        }
        let values = value.to_vec()?;
        let tokens = values.chunks(width.max(1)).zip(real.iter().flatten());
        tokens.filter(|(_, real)| **real).for_each(|(token, _)| self.add_token(token));
        Ok(())
    }

    fn add_token(&mut self, token: &[f32]) {
        self.count += 1;
        for (at, value) in token.iter().enumerate() {
            let before = f64::from(*value) - self.mean[at];
            self.mean[at] += before / self.count as f64;
            self.squares[at] += before * (f64::from(*value) - self.mean[at]);
            self.min[at] = self.min[at].min(*value);
            self.max[at] = self.max[at].max(*value);
        }
    }

    /// Sample variances (divided by the count minus one); NaN for fewer than two tokens.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| squares / (self.count as f64 - 1.0)).collect()
    }

    /// The means as an activation `[1, 1, ..]`, which [`crate::Intervention::patch`] repeats over rows and positions.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for statistics without tokens.
    pub fn mean_activation(&self, device: &burn::tensor::Device) -> Result<Activation> {
        let dims: Vec<usize> = [1, 1].iter().chain(&self.dims).copied().collect();
        Activation::from_vec(self.mean.iter().map(|mean| *mean as f32).collect(), &dims, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Side;
    use crate::hooks::Intervention;
    use crate::model::HookedAutoModel;
    use crate::transformer::TransformerConfig;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    fn tokens() -> Tokens {
        Tokens::padded(&[vec![1, 2, 3, 4], vec![5, 6], vec![7]], Side::Left, 0).unwrap()
    }

    #[test]
    fn as_many_rows_as_fit_beside_what_is_kept() {
        let cost = |kept: u64, working: u64| Cost {
            captures: vec![("embed".into(), kept)],
            stop_at_layer: None,
            n_layers: 1,
            working,
        };
        assert_eq!(rows_that_fit(&cost(100, 400), 8, 500), 8);
        assert_eq!(
            rows_that_fit(&cost(100, 800), 8, 500),
            3,
            "300 of the 500 bytes are beside the parts and the whole"
        );
        assert_eq!(rows_that_fit(&cost(300, 800), 8, 500), 1, "the run itself then says what does not fit");
    }

    #[test]
    fn a_capture_stops_early_and_equals_that_of_a_whole_run() {
        let model = model();
        let whole = model.run_with_cache(tokens(), ["blocks.1.attn.z"]).unwrap().1;
        let found = model.capture(tokens(), ["blocks.1.attn.z"]).unwrap();
        let values = |cache: &ActivationCache| cache.activation("z1").unwrap().to_vec().unwrap();
        assert_eq!(values(&found), values(&whole));
        let error = model.capture([1], ["blocks.9.attn.z"]).unwrap_err().to_string();
        assert!(error.starts_with("no site fits `blocks.9.attn.z`"), "{error}");
    }

    #[test]
    fn micro_batches_equal_the_whole_batch_under_interventions() {
        let model = model();
        let patch = model.capture(tokens(), ["resid_pre1"]).unwrap().activation("resid_pre1").unwrap().clone();
        let plan = Plan::new()
            .capture("blocks.2.resid_post")
            .capture(Capture::of("*.z").positions([-1]))
            .edit("blocks.0.attn.z", Intervention::zero().rows([2]).head(1))
            .edit("blocks.0.mlp.post", Intervention::scale(2.0).tokens([6, 7]))
            .edit("blocks.1.resid_pre", Intervention::patch(&patch).positions([-1]));
        let whole = model.run(tokens(), plan.clone()).unwrap();
        for rows in [1, 2, 3, 9] {
            let (logits, cache) = model.run_in_batches(tokens(), &plan, rows).unwrap();
            let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close(&crate::device::read(logits).unwrap(), &crate::device::read(whole.output.clone()).unwrap()));
            for (site, value) in whole.cache.iter() {
                assert!(close(&cache.activation(site).unwrap().to_vec().unwrap(), &value.to_vec().unwrap()), "{site}");
            }
        }
        let error = model.run_in_batches(tokens(), &Plan::new().grad("embed"), 1).unwrap_err().to_string();
        assert!(error.contains("take the gradients batch by batch"), "{error}");
    }

    #[test]
    fn running_statistics_equal_those_of_all_tokens_at_once() {
        let model = model();
        let batches = [tokens(), Tokens::new(vec![vec![8, 9, 10]]).unwrap()];
        let found = model.statistics(&batches, &["blocks.0.attn.z", "resid_post1"]).unwrap();
        let statistics = &found["blocks.1.resid_post"];
        assert_eq!(
            (statistics.count, statistics.dims.as_slice(), found["blocks.0.attn.z"].dims.as_slice()),
            (10, &[12][..], &[3, 4][..])
        );
        let mut first = Vec::new();
        for row in [vec![1, 2, 3, 4], vec![5, 6], vec![7], vec![8, 9, 10]] {
            let alone =
                model.capture(row, ["resid_post1"]).unwrap().activation("resid_post1").unwrap().to_vec().unwrap();
            first.extend(alone.chunks(12).map(|token| f64::from(token[0])));
        }
        let mean = first.iter().sum::<f64>() / 10.0;
        let variance = first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 9.0;
        assert!((statistics.mean[0] - mean).abs() < 1e-6 && (statistics.variance()[0] - variance).abs() < 1e-5);
        assert_eq!(
            f64::from(statistics.max[0]),
            first.iter().copied().fold(f64::MIN, f64::max).max(f64::from(statistics.max[0]))
        );
        let mean = statistics.mean_activation(model.device()).unwrap();
        let ablated = model.run_with_hooks(tokens(), [("resid_post1", Intervention::patch(&mean))]).unwrap();
        assert_eq!(ablated.dims(), [3, 4, 20]);
        assert!(model.statistics(&batches, &["*.pattern"]).is_err());
        assert!(model.statistics(Vec::<Tokens>::new(), &["embed"]).is_err());
    }
}
