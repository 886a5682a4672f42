//! What is lost when a head or a neuron is silenced.

use arrakis_models::{Edit, HookedTransformer, IntoTokens, SweepCase, SweepWork, Tokens, site};
use burn::tensor::{Bool, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::shared::common;
use crate::tools::{Metric, ScoreTable, Tool};

/// The change of a metric when a head's output or a neuron is replaced.
///
/// *What it tells you*: how much the metric needs a head (`attn.z`) or a neuron (`mlp.post`) on this prompt, all
/// paths counted. *How to read it*: [`Ablated::ablated`] is the metric without the part, [`Ablated::effect`] that
/// minus the clean metric; for a logit difference a strongly negative effect means the part carried the answer.
/// *When it misleads*: zero is far from anything the model ever sees, so zeroing also breaks what it should leave
/// alone: prefer a mean or a resample; later parts may step in for a silenced one (backup heads), which makes it
/// look idle. *Source*: Wang et al., <https://arxiv.org/abs/2211.00593>; resampling: Chan et al., "Causal
/// Scrubbing", 2022.
#[derive(Clone, Debug)]
pub struct Ablation {
    model: HookedTransformer,
}

/// What takes the place of an activation.
#[derive(Clone, Debug, Default)]
pub enum AblationKind {
    /// Zero.
    #[default]
    Zero,
    /// Its mean over the real positions of its own row.
    Mean,
    /// Its mean over the real positions of a data set.
    DatasetMean(Tokens),
    /// The same position of a randomly drawn row of other prompts of the same length.
    Resample {
        /// The prompts drawn from.
        from: Tokens,
        /// Seed of the draws.
        seed: u64,
    },
}

/// Metrics with one head silenced at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablated {
    /// The metric of the untouched model.
    pub clean: f32,
    /// The metric with each head silenced, `[layer][head]`.
    pub ablated: ScoreTable,
    /// What was run, and what was saved.
    pub work: SweepWork,
}

/// A metric with and without an intervention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The metric of the untouched model.
    pub clean: f32,
    /// The metric under the intervention.
    pub ablated: f32,
}

impl Effect {
    /// What the intervention changed: ablated minus clean.
    pub fn change(&self) -> f32 {
        self.ablated - self.clean
    }
}

impl Ablated {
    /// What silencing each head changed, ablated minus clean: `[layer][head]`.
    pub fn effect(&self) -> ScoreTable {
        self.ablated.map(&format!("change of {}", self.ablated.units), |value| value - self.clean)
    }
}

impl Tool for Ablation {
    const NAME: &'static str = "ablation";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Ablation {
    /// The metric with each head silenced in turn. Each run starts at the head's own block.
    ///
    /// # Errors
    ///
    /// Prompts or a metric that do not fit; a resample of another length.
    pub fn heads(&self, prompt: impl IntoTokens, metric: &Metric, kind: &AblationKind) -> Result<Ablated> {
        let tokens = prompt.into_tokens(&self.model)?;
        let (n_layers, n_heads) = (self.model.config().n_layers, self.model.config().n_heads);
        let mut cases = Vec::new();
        for layer in 0..n_layers {
            let source = self.source(&tokens, &site::z(layer), kind)?;
            cases.extend((0..n_heads).map(|head| {
                SweepCase::new(format!("L{layer}H{head}"), site::z(layer), silence_head(head, source.clone()))
            }));
        }
        let found = metric.sweep(&self.model, &tokens, cases)?;
        let means: Vec<f32> = found.means().into_iter().map(|mean| mean as f32).collect();
        let values = means.chunks(n_heads).map(<[f32]>::to_vec).collect();
        let ablated = ScoreTable::heads(values, &metric.units());
        Ok(Ablated { clean: found.clean_mean() as f32, ablated, work: found.work })
    }

    /// The metric with and without one head.
    ///
    /// # Errors
    ///
    /// As [`Ablation::heads`], and a layer or head out of range.
    pub fn head(
        &self,
        prompt: impl IntoTokens,
        metric: &Metric,
        layer: usize,
        head: usize,
        kind: &AblationKind,
    ) -> Result<Effect> {
        common::check_head(&self.model, layer, head)?;
        let tokens = prompt.into_tokens(&self.model)?;
        let source = self.source(&tokens, &site::z(layer), kind)?;
        self.effect(&tokens, &site::z(layer), silence_head(head, source), metric)
    }

    /// The metric with and without one neuron (`mlp.post`).
    ///
    /// # Errors
    ///
    /// As [`Ablation::heads`], a layer or neuron out of range, or a mixture of experts.
    pub fn neuron(
        &self,
        prompt: impl IntoTokens,
        metric: &Metric,
        layer: usize,
        neuron: usize,
        kind: &AblationKind,
    ) -> Result<Effect> {
        self.check_neuron(layer, neuron)?;
        let tokens = prompt.into_tokens(&self.model)?;
        let source = self.source(&tokens, &site::mlp_post(layer), kind)?;
        self.effect(&tokens, &site::mlp_post(layer), silence_neuron(neuron, source), metric)
    }

    /// The metric with and without one neuron multiplied by `scale` at every position.
    ///
    /// The layer's `mlp.out` changes by `(scale - 1) · activation · W_out[neuron]` and by nothing else.
    ///
    /// # Errors
    ///
    /// As [`Ablation::neuron`].
    pub fn scale_neuron(
        &self,
        prompt: impl IntoTokens,
        metric: &Metric,
        layer: usize,
        neuron: usize,
        scale: f32,
    ) -> Result<Effect> {
        self.check_neuron(layer, neuron)?;
        let tokens = prompt.into_tokens(&self.model)?;
        self.effect(&tokens, &site::mlp_post(layer), scaled_neuron(neuron, scale), metric)
    }

    fn effect(&self, tokens: &Tokens, site: &site::Site, edit: Edit, metric: &Metric) -> Result<Effect> {
        let found = metric.sweep(&self.model, tokens, [SweepCase::new(site.as_str(), site.clone(), edit)])?;
        Ok(Effect { clean: found.clean_mean() as f32, ablated: found.means()[0] as f32 })
    }

    fn check_neuron(&self, layer: usize, neuron: usize) -> Result<()> {
        self.model.w_out(layer)?;
        common::within("neuron", neuron, self.model.config().d_mlp)
    }

    /// What replaces activations at a site, as a function of what is there: flat `[batch, pos, width]`.
    fn source(&self, tokens: &Tokens, site: &site::Site, kind: &AblationKind) -> Result<Source> {
        match kind {
            AblationKind::Zero => Ok(Source::Zero),
            AblationKind::Mean => Ok(Source::OwnMean(row_weights(tokens, &self.model))),
            AblationKind::DatasetMean(data) => {
                let values = self.values_at(data, site)?;
                let rows = (values * row_weights(data, &self.model)).sum_dim(1);
                Ok(Source::Fixed(weighted_rows(rows, data)))
            }
            AblationKind::Resample { from, seed } => {
                let in_line = |real: &Vec<bool>| *real == tokens.real()[0];
                if !tokens.real().iter().chain(from.real()).all(in_line) {
                    let problem = format!(
                        "cannot resample prompts of {} tokens from prompts of {}; give prompts of one length",
                        tokens.pos(),
                        from.pos()
                    );
                    return Err(Error::Tool { tool: Self::NAME, problem });
                }
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                let rows: Vec<i64> = (0..tokens.batch()).map(|_| rng.random_range(0..from.batch()) as i64).collect();
                let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [tokens.batch()]), self.model.device());
                Ok(Source::Fixed(self.values_at(from, site)?.select(0, rows)))
            }
        }
    }

    /// The activations at a site, `[batch, pos, width]`.
    fn values_at(&self, tokens: &Tokens, site: &site::Site) -> Result<Tensor<3>> {
        let cache = self.model.capture(tokens, [site.clone()])?;
        let found = cache.activation(site)?;
        let width = found.dims().iter().skip(2).product();
        Ok(found.to_flat()?.reshape([tokens.batch(), tokens.pos(), width]))
    }
}

/// What an ablation writes.
#[derive(Clone, Debug)]
enum Source {
    Zero,
    /// The row's own mean, by these weights over positions, `[batch, pos, 1]`.
    OwnMean(Tensor<3>),
    /// These numbers: `[batch or 1, pos or 1, width]`.
    Fixed(Tensor<3>),
}

impl Source {
    /// What replaces `x`, of its own shape `[batch, pos, width]`.
    fn replacing(&self, x: &Tensor<3>) -> Tensor<3> {
        match self {
            Self::Zero => x.zeros_like(),
            Self::OwnMean(weights) => (x.clone() * weights.clone()).sum_dim(1).expand(x.dims()),
            Self::Fixed(values) => values.clone().expand(x.dims()),
        }
    }
}

/// One over the number of real positions of the row, 0 at padding: `[batch, pos, 1]`.
fn row_weights(tokens: &Tokens, model: &HookedTransformer) -> Tensor<3> {
    let of_row = |row: &Vec<bool>| {
        let count = row.iter().filter(|real| **real).count() as f32;
        row.iter().map(move |real| if *real { 1.0 / count } else { 0.0 }).collect::<Vec<f32>>()
    };
    let weights: Vec<f32> = tokens.real().iter().flat_map(of_row).collect();
    Tensor::from_data(TensorData::new(weights, [tokens.batch(), tokens.pos(), 1]), model.device())
}

/// Row means to the mean over all real positions: `[batch, 1, width]` to `[1, 1, width]`.
fn weighted_rows(means: Tensor<3>, data: &Tokens) -> Tensor<3> {
    let counts: Vec<f32> = data.real().iter().map(|row| row.iter().filter(|real| **real).count() as f32).collect();
    let all: f32 = counts.iter().sum();
    let weights: Vec<f32> = counts.iter().map(|count| count / all).collect();
    let weights = Tensor::<3>::from_data(TensorData::new(weights, [data.batch(), 1, 1]), &means.device());
    (means * weights).sum_dim(0)
}

/// Replaces one head of `z` `[batch, pos, head, d_head]`.
fn silence_head(head: usize, source: Source) -> Edit {
    Edit::new(move |z: Tensor<4>| {
        let dims = z.dims();
        let [batch, pos, heads, d_head] = dims;
        replaced(&z.reshape([batch, pos, heads * d_head]), head * d_head..(head + 1) * d_head, &source).reshape(dims)
    })
}

/// Replaces one neuron of `mlp.post` `[batch, pos, d_mlp]`.
fn silence_neuron(neuron: usize, source: Source) -> Edit {
    Edit::new(move |post: Tensor<3>| replaced(&post, neuron..neuron + 1, &source))
}

/// Multiplies one neuron of `mlp.post` `[batch, pos, d_mlp]`.
fn scaled_neuron(neuron: usize, scale: f32) -> Edit {
    Edit::new(move |post: Tensor<3>| {
        let scaled = post.clone() * scale;
        let [_, _, width] = post.dims();
        post.clone().mask_where(columns(neuron..neuron + 1, width, &post), scaled)
    })
}

/// `x` with a range of its last axis taken from the source.
fn replaced(x: &Tensor<3>, range: std::ops::Range<usize>, source: &Source) -> Tensor<3> {
    let [_, _, width] = x.dims();
    let new = source.replacing(x);
    x.clone().mask_where(columns(range, width, x), new)
}

/// True in a range of the last axis.
fn columns(range: std::ops::Range<usize>, width: usize, like: &Tensor<3>) -> Tensor<3, Bool> {
    let mask: Vec<bool> = (0..width).map(|column| range.contains(&column)).collect();
    Tensor::<3, Bool>::from_data(TensorData::new(mask, [1, 1, width]), &like.device()).expand(like.dims())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};
    use arrakis_models::{Plan, device};

    const PROMPT: [u32; 6] = [34, 17, 29, 49, 82, 17];

    #[test]
    fn silencing_either_planted_head_loses_the_answer() {
        let tool = Ablation::new(&induction_model()).unwrap();
        let metric = Metric::logit_diff(5, 7);
        let found = tool.heads([3, 5, 7, 3], &metric, &AblationKind::Zero).unwrap();
        let effect = found.effect();
        let mut lost: Vec<String> = effect.lowest(2).into_iter().map(|score| score.label).collect();
        lost.sort();
        assert_eq!(lost, ["L0H1", "L1H0"]);
        assert_eq!((effect.values[0][0], effect.values[1][1]), (0.0, 0.0));
    }

    #[test]
    fn a_silenced_head_is_a_zeroed_slice_of_w_o() {
        for name in ["gpt2", "llama"] {
            let model = fixture(name);
            let metric = Metric::logit(7);
            let found = Ablation::new(&model).unwrap().head(PROMPT, &metric, 1, 2, &AblationKind::Zero).unwrap();
            let mut net = model.net().clone();
            let d_head = model.config().d_head;
            net.blocks[1].attn.w_o.weight = net.blocks[1].attn.w_o.weight.clone().map(|w| {
                let [_, d_model] = w.dims();
                w.slice_assign([2 * d_head..3 * d_head, 0..d_model], Tensor::zeros([d_head, d_model], model.device()))
            });
            let logits = model.with_net(net).forward(PROMPT).unwrap();
            close(found.ablated, device::read(logits).unwrap()[5 * 120 + 7], 1e-5);
        }
    }

    #[test]
    fn a_neuron_scaled_by_one_changes_nothing_and_by_zero_is_ablated() {
        let tool = Ablation::new(&fixture("llama")).unwrap();
        let metric = Metric::logit(7);
        assert_eq!(tool.scale_neuron(PROMPT, &metric, 0, 3, 1.0).unwrap().change(), 0.0);
        let scaled = tool.scale_neuron(PROMPT, &metric, 0, 3, 0.0).unwrap();
        assert_eq!(scaled, tool.neuron(PROMPT, &metric, 0, 3, &AblationKind::Zero).unwrap());
    }

    #[test]
    fn a_scaled_neuron_moves_the_mlp_along_its_row_of_w_out() {
        let model = fixture("gpt2");
        let read =
            |cache: &arrakis_models::ActivationCache, site: &str| device::read(cache.get::<3>(site).unwrap()).unwrap();
        let (_, clean) = model.run_with_cache(PROMPT, ["blocks.1.mlp.post", "blocks.1.mlp_out"]).unwrap();
        let plan = Plan::new().capture("blocks.1.mlp_out").edit("blocks.1.mlp.post", scaled_neuron(9, 3.0));
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
    fn means_and_resamples_of_the_same_prompt() {
        let tool = Ablation::new(&fixture("gpt2")).unwrap();
        let metric = Metric::loss();
        let same = Tokens::new(vec![PROMPT.to_vec()]).unwrap();
        let mean = tool.heads(PROMPT, &metric, &AblationKind::Mean).unwrap();
        let data = tool.heads(PROMPT, &metric, &AblationKind::DatasetMean(same.clone())).unwrap();
        for (a, b) in mean.ablated.values.iter().flatten().zip(data.ablated.values.iter().flatten()) {
            close(*a, *b, 1e-5);
        }
        let resampled = tool.heads(PROMPT, &metric, &AblationKind::Resample { from: same, seed: 1 }).unwrap();
        assert!(resampled.effect().values.iter().flatten().all(|change| change.abs() < 1e-5));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Ablation::new(&fixture("gpt2")).unwrap();
        let metric = Metric::loss();
        let error = tool.neuron(PROMPT, &metric, 0, 128, &AblationKind::Zero).unwrap_err();
        assert_eq!(error.to_string(), "neuron 128 is out of range: there are 128, numbered from 0");
        let from = Tokens::new(vec![vec![1, 2]]).unwrap();
        let error = tool.head(PROMPT, &metric, 0, 0, &AblationKind::Resample { from, seed: 0 }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ablation: cannot resample prompts of 6 tokens from prompts of 2; give prompts of one length"
        );
    }
}
