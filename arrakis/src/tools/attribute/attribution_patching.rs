//! Activation patching, estimated for all activations at once by a gradient.

use arrakis_models::{ActivationCache, HookedTransformer, IntoTokens, Plan, device, progress, site};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::{Metric, ScoreTable, Tool};

/// A linear estimate of what patching each activation would do to a metric.
///
/// *What it tells you*: for every head, stream position or neuron at once, about how much the metric of a target run
/// would move if that one activation took its value from a source run: `(a_source - a_target) · ∂metric/∂a` at the
/// target, summed over what the score covers. A clean source and a corrupted target denoise, the other way round
/// they noise, as in [`crate::tools::ActivationPatching`], whose [`crate::tools::intervene::activation_patching::Patched::change`] it
/// estimates. Two forwards and one backward in place of one forward an activation. *How to read it*: units of the
/// metric; positive means the source's value pushes the metric up. *When it misleads*: it is a tangent: where the
/// metric bends (saturated attention, the norms' effect on large stream patches) it can be far off or of the wrong
/// sign; early `resid_pre` is worst: confirm the top few by patching. *Source*: Nanda, "Attribution Patching", 2023;
/// Syed et al., <https://arxiv.org/abs/2310.10348>.
#[derive(Clone, Debug)]
pub struct AttributionPatching {
    model: HookedTransformer,
}

/// A neuron's score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronScore {
    /// `L3N117`
    pub name: String,
    /// The layer.
    pub layer: usize,
    /// The neuron.
    pub neuron: usize,
    /// In the metric's units.
    pub score: f32,
}

impl Tool for AttributionPatching {
    const NAME: &'static str = "attribution_patching";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl AttributionPatching {
    /// Scores of heads (`attn.z`, summed over positions and rows), `[layer][head]`.
    ///
    /// # Errors
    ///
    /// Prompts of different shapes, or a metric that does not fit.
    pub fn heads(&self, source: impl IntoTokens, target: impl IntoTokens, metric: &Metric) -> Result<ScoreTable> {
        let scores = self.scores("attn.z", source, target, metric)?;
        let by_head = |layer: usize| -> Result<Vec<f32>> {
            let score: Tensor<4> = scores.get(&site::z(layer))?;
            Ok(device::read(score.sum_dim(0).sum_dim(1).sum_dim(3))?)
        };
        Ok(ScoreTable::heads(self.layers(by_head)?, &units(metric)))
    }

    /// Scores of heads at each position, `[layer][head]` for each position: `[pos]`.
    ///
    /// # Errors
    ///
    /// As [`AttributionPatching::heads`].
    pub fn heads_by_pos(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Vec<ScoreTable>> {
        let scores = self.scores("attn.z", source, target, metric)?;
        let heads = self.model.config().n_heads;
        let by_pos = |layer: usize| -> Result<Vec<f32>> {
            let score: Tensor<4> = scores.get(&site::z(layer))?;
            Ok(device::read(score.sum_dim(0).sum_dim(3))?)
        };
        let layers = self.layers(by_pos)?;
        let positions = layers.first().map_or(0, |row| row.len() / heads);
        let at = |pos: usize| layers.iter().map(|row| row[pos * heads..][..heads].to_vec()).collect();
        Ok((0..positions).map(|pos| ScoreTable::heads(at(pos), &units(metric))).collect())
    }

    /// Scores of the stream entering each block at each position, `[layer][pos]`; columns are the target's tokens.
    ///
    /// # Errors
    ///
    /// As [`AttributionPatching::heads`].
    pub fn resid_pre(&self, source: impl IntoTokens, target: impl IntoTokens, metric: &Metric) -> Result<ScoreTable> {
        let target = target.into_tokens(&self.model)?;
        let labels = common::labels(&self.model, &target);
        let scores = self.scores("resid_pre", source, target, metric)?;
        let by_pos = |layer: usize| -> Result<Vec<f32>> {
            let score: Tensor<3> = scores.get(&site::resid_pre(layer))?;
            Ok(device::read(score.sum_dim(0).sum_dim(2))?)
        };
        Ok(ScoreTable::positions(self.layers(by_pos)?, &labels, &units(metric)))
    }

    /// The `k` neurons (`mlp.post`, summed over positions) whose score is furthest from zero, over all layers.
    ///
    /// # Errors
    ///
    /// As [`AttributionPatching::heads`], or a mixture of experts.
    pub fn neurons(
        &self,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
        k: usize,
    ) -> Result<Vec<NeuronScore>> {
        let scores = self.scores("mlp.post", source, target, metric)?;
        let by_neuron = |layer: usize| -> Result<Vec<f32>> {
            let score: Tensor<3> = scores.get(&site::mlp_post(layer))?;
            Ok(device::read(score.sum_dim(0).sum_dim(1))?)
        };
        let flat = self.layers(by_neuron)?.concat();
        let sizes: Vec<f32> = flat.iter().map(|score| score.abs()).collect();
        let d_mlp = self.model.config().d_mlp;
        let named = |index: usize| {
            let (layer, neuron) = (index / d_mlp, index % d_mlp);
            NeuronScore { name: format!("L{layer}N{neuron}"), layer, neuron, score: flat[index] }
        };
        Ok(common::largest(&sizes, k).into_iter().map(named).collect())
    }

    fn layers(&self, each: impl Fn(usize) -> Result<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        (0..self.model.config().n_layers).map(each).collect()
    }

    /// `(a_source - a_target) · gradient`, element by element, at one site of every block.
    fn scores(
        &self,
        inside: &str,
        source: impl IntoTokens,
        target: impl IntoTokens,
        metric: &Metric,
    ) -> Result<Elementwise> {
        let (source, target) = (source.into_tokens(&self.model)?, target.into_tokens(&self.model)?);
        common::check_pair(Self::NAME, &source, &target)?;
        let sites = format!("blocks.*.{inside}");
        let bar = progress::bar(Self::NAME, "passes", 3);
        let outcome = self.model.run(&target, Plan::new().capture(sites.as_str()).grad(sites.as_str()))?;
        bar.inc(1);
        let gradients = outcome.gradients(metric.tensor(&self.model, &outcome.output, &target)?)?;
        bar.inc(1);
        let source = self.model.capture(&source, [sites.as_str()])?;
        bar.finish_and_clear();
        Ok(Elementwise { source, target: outcome.cache, gradients })
    }
}

fn units(metric: &Metric) -> String {
    format!("estimated change of {}", metric.units())
}

/// Two runs' activations and a gradient, multiplied where asked for.
struct Elementwise {
    source: ActivationCache,
    target: ActivationCache,
    gradients: ActivationCache,
}

impl Elementwise {
    fn get<const D: usize>(&self, site: &site::Site) -> Result<Tensor<D>> {
        let difference = self.source.get::<D>(site)? - self.target.get::<D>(site)?;
        Ok(difference * self.gradients.get::<D>(site)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};
    use arrakis_models::{Edit, Tokens};

    const CLEAN: [u32; 5] = [34, 17, 29, 49, 82];
    const CORRUPTED: [u32; 5] = [34, 17, 30, 49, 82];

    #[test]
    fn the_last_resid_pre_changes_nothing_where_nothing_changed() {
        let tool = AttributionPatching::new(&fixture("gpt2")).unwrap();
        let table = tool.resid_pre(CLEAN, CORRUPTED, &Metric::logit_diff(63, 25)).unwrap();
        assert_eq!(table.values[0][..2], [0.0, 0.0]);
        assert!(table.values[0][2] != 0.0);
        assert_eq!(table.col_labels.len(), 5);
    }

    #[test]
    fn a_small_patch_moves_the_metric_as_told() {
        let model = fixture("llama");
        let (metric, step) = (Metric::logit_diff(63, 25), 0.01f32);
        let table = AttributionPatching::new(&model).unwrap().heads(CLEAN, CORRUPTED, &metric).unwrap();
        let (_, clean) = model.run_with_cache(CLEAN, ["blocks.0.attn.z"]).unwrap();
        let tokens = Tokens::new(vec![CORRUPTED.to_vec()]).unwrap();
        let nudged = |head: usize, step: f32| {
            let source: Tensor<4> = clean.get("blocks.0.attn.z").unwrap();
            let nudge = Edit::new(move |z: Tensor<4>| {
                let moved = z.clone().narrow(2, head, 1) * (1.0 - step) + source.clone().narrow(2, head, 1) * step;
                let [batch, pos, _, d_head] = z.dims();
                z.slice_assign([0..batch, 0..pos, head..head + 1, 0..d_head], moved)
            });
            let logits = model.run_with_hooks(&tokens, [("blocks.0.attn.z", nudge)]).unwrap();
            metric.value(&model, &logits, &tokens).unwrap()
        };
        for (head, score) in table.values[0].iter().enumerate() {
            close((nudged(head, step) - nudged(head, -step)) / (2.0 * step), *score, 2e-3);
        }
    }

    #[test]
    fn the_planted_head_stands_out_in_either_direction() {
        let (tool, metric) = (AttributionPatching::new(&induction_model()).unwrap(), Metric::logit_diff(5, 7));
        let (clean, corrupted) = ([3, 5, 7, 3], [3, 7, 5, 3]);
        let denoised = tool.heads(clean, corrupted, &metric).unwrap();
        let noised = tool.heads(corrupted, clean, &metric).unwrap();
        assert_eq!((&*denoised.highest(1)[0].label, &*noised.lowest(1)[0].label), ("L1H0", "L1H0"));
    }

    #[test]
    fn neurons_and_positions_add_up_to_what_they_are_parts_of() {
        let (tool, metric) = (AttributionPatching::new(&fixture("gpt2")).unwrap(), Metric::loss());
        let heads = tool.heads(CLEAN, CORRUPTED, &metric).unwrap();
        let by_pos = tool.heads_by_pos(CLEAN, CORRUPTED, &metric).unwrap();
        close(by_pos.iter().map(|table| table.values[1][2]).sum(), heads.values[1][2], 1e-5);
        let neurons = tool.neurons(CLEAN, CORRUPTED, &metric, 3).unwrap();
        assert!(neurons.len() == 3 && neurons[0].score.abs() >= neurons[2].score.abs());
    }

    #[test]
    fn prompts_that_do_not_pair_are_named() {
        let tool = AttributionPatching::new(&fixture("gpt2")).unwrap();
        let error = tool.heads(CLEAN, [1, 2], &Metric::loss()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "attribution_patching: the source is 1 × 5 tokens, the target 1 × 2; patch between prompts that align token by token"
        );
    }
}
