//! Activation patching, estimated for all activations at once with a gradient.

use arrakis_models::{ActivationCache, HookedTransformer, IntoTokens, Plan, SweepWork, progress, site};
use burn::tensor::Tensor;

use crate::error::Result;
use crate::tools::place::{Head, HeadPosition, Neuron, Place, StreamPosition};
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, ScoreTable, Scores, Tool};

/// A linear estimate of what patching each activation would do to a metric.
///
/// # What it tells you
///
/// For every head, stream position or neuron, an estimate of a target run's metric if that one activation had its value
/// from a source run. It is the target's metric plus `(a_source - a_target) · ∂metric/∂a`, summed over the elements
/// that the score covers. All scores come from one gradient; patching runs the model for each.
///
/// # How to read it
///
/// - [`Scores::change`] estimates what [`ActivationPatching`](crate::tools::ActivationPatching) measures.
/// - A positive change means that the source's value raises the metric.
///
/// # When it misleads
///
/// - It is a linear approximation. Where the metric is not linear (saturated attention, norms under large patches of
///   the stream) it can be far off or have the wrong sign. Early `resid_pre` is worst.
/// - Confirm the highest scores by patching.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `heads`, `head_positions`, `resid_pre`, `neurons` | 2 | 1 |
/// | `from` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let gradient: AttributionPatching = Bench::embedded()?.tool()?;
/// let clean = "When Mary and John went to the store, John gave a drink to";
/// let corrupted = "When Mary and John went to the store, Mary gave a drink to";
/// let found = gradient.from(clean).into(corrupted)?.neurons(&Metric::logit_diff(" Mary", " John"))?;
/// for best in found.change().top(3) {
///     println!("layer {} neuron {}: about {:+.2} nats", best.layer, best.neuron, best.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Nanda, "Attribution Patching", 2023; Syed et al., <https://arxiv.org/abs/2310.10348>.
#[derive(Clone, Debug)]
pub struct AttributionPatching {
    model: HookedTransformer,
}

impl Tool for AttributionPatching {
    const NAME: &'static str = "attribution_patching";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl AttributionPatching {
    /// Takes the source prompts; `.into(..)` takes the target prompts.
    pub fn from(&self, source: impl IntoTokens) -> PatchFrom<'_, Self> {
        PatchFrom::new(self, &self.model, source)
    }
}

/// Each prompt of a batch counts equally, and its own scores are kept.
impl PatchInto<'_, AttributionPatching> {
    /// Estimates patching each head (`attn.z`, summed over positions): `[layer][head]`.
    ///
    /// # Errors
    ///
    /// A metric that does not fit the prompts or has no gradient, numbers that are not finite.
    pub fn heads(&self, metric: &Metric) -> Result<Scores> {
        let heads = (0..self.model().config().n_heads).collect();
        self.scores(metric, site::z, self.layers(), heads, |scores, layer| {
            common::numbers(scores.get::<4>(site::z(*layer))?.sum_dim(1).sum_dim(3))
        })
    }

    /// Estimates patching each head at each position: `[layer and head][position]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`].
    pub fn head_positions(&self, metric: &Metric) -> Result<Scores<HeadPosition>> {
        let n_heads = self.model().config().n_heads;
        let heads = |layer| (0..n_heads).map(move |head| Head { layer, head });
        let rows = self.layers().into_iter().flat_map(heads).collect();
        self.scores::<HeadPosition>(
            metric,
            site::z,
            rows,
            common::positions(self.model(), &self.target),
            |scores, head| {
                let z = scores.get::<4>(site::z(head.layer))?.narrow(2, head.head, 1);
                common::numbers(z.sum_dim(3))
            },
        )
    }

    /// Estimates patching the stream entering each block at each position: `[layer][position]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`].
    pub fn resid_pre(&self, metric: &Metric) -> Result<Scores<StreamPosition>> {
        let positions = common::positions(self.model(), &self.target);
        self.scores(metric, site::resid_pre, self.layers(), positions, |scores, layer| {
            common::numbers(scores.get::<3>(site::resid_pre(*layer))?.sum_dim(2))
        })
    }

    /// Estimates patching each neuron (`mlp.post`, summed over positions): `[layer][neuron]`.
    ///
    /// # Errors
    ///
    /// Those of [`PatchInto::heads`], or a mixture of experts.
    pub fn neurons(&self, metric: &Metric) -> Result<Scores<Neuron>> {
        let neurons = (0..self.model().config().d_mlp).collect();
        self.scores(metric, site::mlp_post, self.layers(), neurons, |scores, layer| {
            common::numbers(scores.get::<3>(site::mlp_post(*layer))?.sum_dim(1))
        })
    }

    fn model(&self) -> &HookedTransformer {
        &self.tool.model
    }

    fn layers(&self) -> Vec<usize> {
        (0..self.model().config().n_layers).collect()
    }

    /// Scores at one site of every block. `read` returns the changes of one row of the table, `[prompt][column]` in one
    /// list.
    fn scores<P: Place>(
        &self,
        metric: &Metric,
        at: fn(usize) -> site::Site,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        read: impl Fn(&Elementwise, &P::Row) -> Result<Vec<f64>>,
    ) -> Result<Scores<P>> {
        let (scores, baseline) = self.elementwise(metric, at)?;
        let (prompts, width) = (self.target.batch(), columns.len());
        let mut per_prompt = Vec::with_capacity(rows.len() * width);
        for row in &rows {
            // The gradient is that of the mean over prompts: a prompt's own change is `prompts` times larger.
            let changes = read(&scores, row)?;
            let cell = |column: usize| {
                let change = |prompt: usize| changes[prompt * width + column] * prompts as f64;
                (0..prompts).map(|prompt| baseline[prompt] + change(prompt)).collect::<Vec<f64>>()
            };
            per_prompt.extend((0..width).map(cell));
        }
        let work = self.work(rows.len() * width);
        let units = format!("estimated {}", metric.units(self.model()));
        let values = ScoreTable::of_prompts(AttributionPatching::NAME, units, rows, columns, per_prompt)?
            .measured_on(&self.target);
        Ok(Scores { baseline: mean(&baseline), baseline_per_prompt: baseline, source: None, values, work })
    }

    /// `(a_source - a_target) · gradient`, element by element, and the target's metric for each prompt.
    fn elementwise(&self, metric: &Metric, at: fn(usize) -> site::Site) -> Result<(Elementwise, Vec<f64>)> {
        let (model, target) = (self.model(), &self.target);
        let sites = site::every(at);
        let bar = progress::bar(AttributionPatching::NAME, "passes", 3);
        let outcome = model.run(target, Plan::new().capture(sites.as_str()).grad(sites.as_str()))?;
        bar.inc(1);
        let baseline = metric.of_each(model, &outcome.output, target)?;
        finite::check_all(AttributionPatching::NAME, model, target, "the metric", &baseline)?;
        let gradients = outcome.gradients(metric.tensor(model, &outcome.output, target)?)?;
        bar.inc(1);
        let source = model.capture(&self.source, [sites.as_str()])?;
        bar.finish_and_clear();
        Ok((Elementwise { source, target: outcome.cache, gradients }, baseline))
    }

    /// The forwards of any number of scores; the backward pass is not counted.
    fn work(&self, scores: usize) -> SweepWork {
        let one = self.layers().len() * self.target.batch() * self.target.pos();
        SweepWork {
            forwards: 2,
            forwards_alone: scores + 1,
            block_tokens: 2 * one,
            block_tokens_alone: one * (scores + 1),
        }
    }
}

/// Two runs' activations and the gradient, multiplied on demand.
struct Elementwise {
    source: ActivationCache,
    target: ActivationCache,
    gradients: ActivationCache,
}

impl Elementwise {
    fn get<const D: usize>(&self, site: site::Site) -> Result<Tensor<D>> {
        let difference = self.source.get::<D>(site)? - self.target.get::<D>(site)?;
        Ok(difference * self.gradients.get::<D>(site)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
    use arrakis_models::{Edit, Tokens};

    const CLEAN: [u32; 5] = [34, 17, 29, 49, 82];
    const CORRUPTED: [u32; 5] = [34, 17, 30, 49, 82];

    impl Readings for AttributionPatching {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let pair = self.from(&cases.other).into(&cases.prompt).unwrap();
            vec![
                Reading::table("heads", pair.heads(&cases.metric).map(|found| found.change())),
                Reading::table("head_positions", pair.head_positions(&cases.metric).map(|found| found.change())),
                Reading::table("resid_pre", pair.resid_pre(&cases.metric).map(|found| found.change())),
                Reading::table("neurons", pair.neurons(&cases.metric).map(|found| found.change())),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let pair = || self.from(&cases.other).into(&cases.prompt);
            vec![
                Call::new("from", || self.from(&cases.other).into(&cases.prompt)),
                Call::new("heads", move || pair()?.heads(&cases.metric)),
                Call::new("head_positions", move || pair()?.head_positions(&cases.metric)),
                Call::new("resid_pre", move || pair()?.resid_pre(&cases.metric)),
                Call::new("neurons", move || pair()?.neurons(&cases.metric)),
            ]
        }
    }

    #[test]
    fn resid_pre_changes_nothing_where_the_prompts_agree() {
        let tool = AttributionPatching::new(&fixture("gpt2")).unwrap();
        let pair = tool.from(CLEAN).into(CORRUPTED).unwrap();
        let table = pair.resid_pre(&Metric::logit_diff(63, 25)).unwrap().change();
        assert_eq!(table.values[0][..2], [0.0, 0.0]);
        assert!(table.values[0][2] != 0.0);
        assert_eq!(table.columns.len(), 5);
    }

    #[test]
    fn a_small_patch_moves_the_metric_as_estimated() {
        let model = fixture("llama");
        let (metric, step) = (Metric::logit_diff(63, 25), 0.01f32);
        let tool = AttributionPatching::new(&model).unwrap();
        let table = tool.from(CLEAN).into(CORRUPTED).unwrap().heads(&metric).unwrap().change();
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
            close((nudged(head, step) - nudged(head, -step)) / (2.0 * f64::from(step)), *score, 2e-3);
        }
    }

    #[test]
    fn the_planted_head_stands_out_in_either_direction() {
        let (tool, metric) = (AttributionPatching::new(&induction_model()).unwrap(), Metric::logit_diff(5, 7));
        let (clean, corrupted) = ([3, 5, 7, 3], [3, 7, 5, 3]);
        let denoised = tool.from(clean).into(corrupted).unwrap().heads(&metric).unwrap().change();
        let noised = tool.from(corrupted).into(clean).unwrap().heads(&metric).unwrap().change();
        assert_eq!((&*denoised.highest(1)[0].label, &*noised.lowest(1)[0].label), ("L1H0", "L1H0"));
    }

    #[test]
    fn positions_add_up_to_the_head_and_prompts_to_the_batch() {
        let (tool, metric) = (AttributionPatching::new(&fixture("gpt2")).unwrap(), Metric::logit_diff(63, 25));
        let pair = tool.from(CLEAN).into(CORRUPTED).unwrap();
        let (heads, by_pos) = (pair.heads(&metric).unwrap().change(), pair.head_positions(&metric).unwrap().change());
        let head = Head { layer: 1, head: 2 };
        let row = by_pos.rows.iter().position(|row| *row == head).unwrap();
        close(by_pos.values[row].iter().sum::<f64>(), heads.get(&head).unwrap(), 1e-5);
        let rows = |a: [u32; 5], b: [u32; 5]| vec![a.to_vec(), b.to_vec()];
        let both = tool.from(rows(CLEAN, CORRUPTED)).into(rows(CORRUPTED, CLEAN)).unwrap().heads(&metric).unwrap();
        let other = tool.from(CORRUPTED).into(CLEAN).unwrap().heads(&metric).unwrap().change();
        let change = both.change();
        close(change.prompts(&head).unwrap()[0], heads.get(&head).unwrap(), 1e-5);
        close(change.prompts(&head).unwrap()[1], other.get(&head).unwrap(), 1e-5);
    }

    #[test]
    fn prompts_that_do_not_pair_are_named() {
        let tool = AttributionPatching::new(&fixture("gpt2")).unwrap();
        let error = tool.from(CLEAN).into([1, 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "attribution_patching: the source is 1 × 5 tokens, the target 1 × 2; patch between prompts that align token by token"
        );
    }
}
