//! What is lost when a head or a neuron is silenced.

use arrakis_models::site::{self, Site};
use arrakis_models::{Activation, HookedTransformer, Intervention, IntoTokens, SweepCase, Tokens};
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::tools::place::Neuron;
use crate::tools::shared::common;
use crate::tools::shared::scan::Scan;
use crate::tools::{Layer, Metric, Scores, Tool};

/// The change of a metric when a head's output or a neuron is replaced.
///
/// # What it tells you
///
/// How much the metric depends on a head (`attn.z`) or a neuron (`mlp.post`) on these prompts, over all paths.
///
/// # How to read it
///
/// - [`Scores::values`] is the metric without the part, [`Scores::change`] that minus the metric of the whole model.
/// - For a logit difference a strongly negative change means that the part carried the answer.
///
/// # When it misleads
///
/// - Zero is far from any value the model sees, so zeroing also breaks unrelated computation. Prefer a mean or a
///   resample.
/// - Later parts may take over (backup heads), which makes the silenced part look unimportant.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let ablation: Ablation = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let found = ablation.heads(prompt, &Metric::logit_diff(" Mary", " John"), AblationKind::Zero)?;
/// for head in found.change().lowest(3) {
///     println!("without layer {} head {}: {:+.2} nats", head.layer, head.head, head.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Wang et al., <https://arxiv.org/abs/2211.00593>; resampling: Chan et al., "Causal Scrubbing", 2022.
#[derive(Clone, Debug)]
pub struct Ablation {
    model: HookedTransformer,
}

/// What an activation is replaced with.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum AblationKind {
    /// Zero.
    #[default]
    Zero,
    /// The activation times this factor.
    Scale(f32),
    /// Its mean over the positions of its own row, without padding.
    Mean,
    /// Its mean over the positions of a data set, without padding.
    DatasetMean(Tokens),
    /// The activation at the same position of a randomly drawn prompt. All prompts have one length.
    Resample {
        /// The prompts drawn from.
        from: Tokens,
        /// Seed of the draws.
        seed: u64,
    },
}

impl Tool for Ablation {
    const NAME: &'static str = "ablation";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Ablation {
    /// The metric with each head silenced in turn: `[layer][head]`. Each run starts at the head's own block.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a metric that does not fit the prompts, a resample from prompts of another
    /// length, numbers that are not finite.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn heads(&self, prompts: impl IntoTokens, metric: &Metric, kind: AblationKind) -> Result<Scores> {
        let (tokens, config) = (prompts.into_tokens(&self.model)?, self.model.config());
        let layers = 0..config.n_layers;
        let whole: Vec<Intervention> =
            layers.clone().map(|layer| self.replace(&tokens, site::z(layer), &kind)).collect::<Result<_>>()?;
        let scan = Scan { tool: Self::NAME, model: &self.model, tokens: &tokens, metric };
        scan.run(layers.collect(), (0..config.n_heads).collect(), None, |layer, head, label| {
            SweepCase::new(label, site::z(*layer), whole[*layer].clone().head(*head))
        })
    }

    /// The metric with each of the given neurons of one layer (`mlp.post`) silenced in turn: `[1][neuron]`.
    ///
    /// Scaling a neuron changes the layer's `mlp.out` by `(factor - 1) · activation · W_out[neuron]` and nothing else.
    ///
    /// # Errors
    ///
    /// Those of [`Ablation::heads`], a layer or neuron out of range, or a mixture of experts.
    #[allow(clippy::needless_pass_by_value, reason = "a kind is written at the call")]
    pub fn neurons(
        &self,
        prompts: impl IntoTokens,
        layer: impl Into<Layer>,
        neurons: impl IntoIterator<Item = usize>,
        metric: &Metric,
        kind: AblationKind,
    ) -> Result<Scores<Neuron>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        self.model.w_out(layer)?;
        let neurons: Vec<usize> = neurons.into_iter().collect();
        neurons.iter().try_for_each(|neuron| common::within("neuron", *neuron, self.model.config().d_mlp))?;
        let tokens = prompts.into_tokens(&self.model)?;
        let whole = self.replace(&tokens, site::mlp_post(layer), &kind)?;
        let scan = Scan { tool: Self::NAME, model: &self.model, tokens: &tokens, metric };
        scan.run(vec![layer], neurons, None, |layer, neuron, label| {
            SweepCase::new(label, site::mlp_post(*layer), whole.clone().features([*neuron]))
        })
    }

    /// The ablation of a whole site as an intervention, for a plan or a record.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, an unknown site, a resample from prompts of another length.
    pub fn intervention(&self, prompts: impl IntoTokens, at: Site, kind: &AblationKind) -> Result<Intervention> {
        self.replace(&prompts.into_tokens(&self.model)?, at, kind)
    }

    fn replace(&self, tokens: &Tokens, at: Site, kind: &AblationKind) -> Result<Intervention> {
        match kind {
            AblationKind::Zero => Ok(Intervention::zero()),
            AblationKind::Scale(factor) => Ok(Intervention::scale(*factor)),
            AblationKind::Mean => Ok(Intervention::mean_over_positions()),
            AblationKind::DatasetMean(data) => Ok(Intervention::patch(&self.mean(data, at)?)),
            AblationKind::Resample { from, seed } => {
                in_line(tokens, from)?;
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                let rows: Vec<i64> = (0..tokens.batch()).map(|_| rng.random_range(0..from.batch()) as i64).collect();
                Ok(Intervention::patch(&self.drawn(from, at, rows)?))
            }
        }
    }

    /// The mean over all positions of a data set without padding, `[1, 1, ..]`.
    fn mean(&self, data: &Tokens, at: Site) -> Result<Activation> {
        let (flat, mut dims) = self.values_at(data, at)?;
        let real: Vec<f32> = data.real().iter().flatten().map(|real| f32::from(u8::from(*real))).collect();
        let count: f32 = real.iter().sum();
        let weights = Tensor::<2>::from_data(TensorData::new(real, [data.batch() * data.pos(), 1]), &flat.device());
        (dims[0], dims[1]) = (1, 1);
        let mean = (flat * weights).sum_dim(0) / count;
        Ok(Activation::from_vec(arrakis_models::device::read(mean)?, &dims, self.model.device())?)
    }

    /// Some rows of a data set, `[row, pos, ..]`.
    fn drawn(&self, data: &Tokens, at: Site, rows: Vec<i64>) -> Result<Activation> {
        let (flat, mut dims) = self.values_at(data, at)?;
        let width: usize = dims[2..].iter().product();
        dims[0] = rows.len();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [dims[0]]), &flat.device());
        let drawn = flat.reshape([data.batch(), data.pos() * width]).select(0, rows);
        Ok(Activation::from_vec(arrakis_models::device::read(drawn)?, &dims, self.model.device())?)
    }

    /// The activations at a site, `[batch * pos, width]`, and the site's own shape.
    fn values_at(&self, tokens: &Tokens, at: Site) -> Result<(Tensor<2>, Vec<usize>)> {
        let cache = self.model.capture(tokens, [at])?;
        let found = cache.activation(at)?;
        let dims = found.dims().to_vec();
        let width = dims[2..].iter().product();
        Ok((found.to_flat()?.reshape([tokens.batch() * tokens.pos(), width]), dims))
    }
}

/// Checks that all prompts have one length, as resampling needs.
fn in_line(tokens: &Tokens, from: &Tokens) -> Result<()> {
    let alike = |real: &Vec<bool>| *real == tokens.real()[0];
    if tokens.real().iter().chain(from.real()).all(alike) {
        return Ok(());
    }
    let problem = format!(
        "cannot resample prompts of {} tokens from prompts of {}; give prompts of one length",
        tokens.pos(),
        from.pos()
    );
    Err(Error::Tool { tool: Ablation::NAME, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::place::Head;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
    use arrakis_models::{Plan, device};

    const PROMPT: [u32; 6] = [34, 17, 29, 49, 82, 17];

    impl Readings for Ablation {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let kinds = [AblationKind::Zero, AblationKind::Mean, AblationKind::DatasetMean(cases.prompt.clone())];
            let heads = kinds.map(|kind| {
                Reading::table("heads", self.heads(&cases.prompt, &cases.metric, kind).map(|found| found.change()))
            });
            let neurons = self.neurons(&cases.prompt, 0, [0], &cases.metric, AblationKind::Zero);
            heads.into_iter().chain([Reading::table("neurons", neurons.map(|found| found.change()))]).collect()
        }
    }

    #[test]
    fn silencing_either_planted_head_loses_the_answer() {
        let tool = Ablation::new(&induction_model()).unwrap();
        let metric = Metric::logit_diff(5, 7);
        let change = tool.heads([3, 5, 7, 3], &metric, AblationKind::Zero).unwrap().change();
        let mut lost: Vec<String> = change.lowest(2).into_iter().map(|score| score.label).collect();
        lost.sort();
        assert_eq!(lost, ["L0H1", "L1H0"]);
        assert_eq!((change.values[0][0], change.values[1][1]), (0.0, 0.0));
    }

    #[test]
    fn a_silenced_head_is_a_zeroed_slice_of_w_o() {
        for name in ["gpt2", "llama"] {
            let model = fixture(name);
            let found = Ablation::new(&model).unwrap().heads(PROMPT, &Metric::logit(7), AblationKind::Zero).unwrap();
            let mut net = model.net().clone();
            let d_head = model.config().d_head;
            net.blocks[1].attn.w_o.weight = net.blocks[1].attn.w_o.weight.clone().map(|w| {
                let [_, d_model] = w.dims();
                w.slice_assign([2 * d_head..3 * d_head, 0..d_model], Tensor::zeros([d_head, d_model], model.device()))
            });
            let logits = model.with_net(net).forward(PROMPT).unwrap();
            let silenced = found.values.get(&Head { layer: 1, head: 2 }).unwrap();
            close(silenced, device::read(logits).unwrap()[5 * 120 + 7], 1e-5);
        }
    }

    #[test]
    fn a_neuron_scaled_by_one_changes_nothing_and_by_zero_is_ablated() {
        let tool = Ablation::new(&fixture("llama")).unwrap();
        let found = |kind| tool.neurons(PROMPT, 0, [3], &Metric::logit(7), kind).unwrap();
        assert_eq!(found(AblationKind::Scale(1.0)).change().values, [[0.0]]);
        assert_eq!(found(AblationKind::Scale(0.0)).values, found(AblationKind::Zero).values);
    }

    #[test]
    fn a_scaled_neuron_moves_the_mlp_along_its_row_of_w_out() {
        let model = fixture("gpt2");
        let read =
            |cache: &arrakis_models::ActivationCache, site: &str| device::read(cache.get::<3>(site).unwrap()).unwrap();
        let (_, clean) = model.run_with_cache(PROMPT, ["blocks.1.mlp.post", "blocks.1.mlp_out"]).unwrap();
        let scaled = Ablation::new(&model).unwrap();
        let scaled = scaled.intervention(PROMPT, site::mlp_post(1), &AblationKind::Scale(3.0)).unwrap().features([9]);
        let plan = Plan::new().capture("blocks.1.mlp_out").edit("blocks.1.mlp.post", scaled);
        let edited = model.run(PROMPT, plan).unwrap().cache;
        let w_out = device::read(model.w_out(1).unwrap()).unwrap();
        let (before, after, post) =
            (read(&clean, "blocks.1.mlp_out"), read(&edited, "blocks.1.mlp_out"), read(&clean, "blocks.1.mlp.post"));
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            let (pos, m) = (index / 32, index % 32);
            close(after - before, 2.0 * post[pos * 128 + 9] * w_out[9 * 32 + m], 1e-5);
        }
    }

    #[test]
    fn the_means_over_the_prompt_itself_agree_and_its_resample_changes_nothing() {
        let tool = Ablation::new(&fixture("gpt2")).unwrap();
        let heads = |kind| tool.heads(PROMPT, &Metric::loss(), kind).unwrap();
        let same = Tokens::new(vec![PROMPT.to_vec()]).unwrap();
        let (mean, data) = (heads(AblationKind::Mean), heads(AblationKind::DatasetMean(same.clone())));
        for (a, b) in mean.values.values.iter().flatten().zip(data.values.values.iter().flatten()) {
            close(*a, *b, 1e-5);
        }
        let resampled = heads(AblationKind::Resample { from: same, seed: 1 });
        assert!(resampled.change().values.iter().flatten().all(|change| change.abs() < 1e-5));
    }

    #[test]
    fn an_ablation_is_an_intervention_that_a_record_keeps() {
        let tool = Ablation::new(&fixture("gpt2")).unwrap();
        let data = AblationKind::DatasetMean(Tokens::new(vec![vec![1, 2, 3]]).unwrap());
        let mean = tool.intervention(PROMPT, site::z(0), &data).unwrap().head(1);
        let kept: Intervention = serde_json::from_str(&serde_json::to_string(&mean).unwrap()).unwrap();
        let value = |edit: Intervention| {
            let logits = tool.model.run_with_hooks(PROMPT, [(site::z(0), edit)]).unwrap();
            device::read(logits).unwrap()
        };
        assert_eq!(value(mean), value(kept));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Ablation::new(&fixture("gpt2")).unwrap();
        let metric = Metric::loss();
        let error = tool.neurons(PROMPT, 0, [128], &metric, AblationKind::Zero).unwrap_err();
        assert_eq!(error.to_string(), "neuron 128 is out of range: there are 128, numbered from 0");
        let from = Tokens::new(vec![vec![1, 2]]).unwrap();
        let error = tool.heads(PROMPT, &metric, AblationKind::Resample { from, seed: 0 }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ablation: cannot resample prompts of 6 tokens from prompts of 2; give prompts of one length"
        );
    }
}
