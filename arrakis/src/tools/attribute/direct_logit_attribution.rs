//! Which parts of the model write a logit directly.

mod contribution;
mod readout;

use arrakis_models::{HookedTransformer, IntoTokens, Tokens, progress, site};
use serde::{Deserialize, Serialize};

pub use self::contribution::Contribution;
use self::contribution::NAME;
use self::readout::{Readout, check_sum};
use crate::error::{Error, Result};
use crate::tools::place::{Neuron, StreamPosition};
use crate::tools::shared::metric::Linear;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::stream::Stream;
use crate::tools::shared::{common, finite};
use crate::tools::{Layer, Metric, ScoreTable, Tool};

/// Each component's direct contribution to a logit or a logit difference.
///
/// # What it tells you
///
/// How much the embeddings, each head, each MLP and the biases write along the direction that the unembedding reads,
/// with the final norm's scale frozen at this run's value. The final norm's weight and bias are included, and so are
/// the norms that some models apply to the output of attention and MLP.
///
/// # How to read it
///
/// - Contributions are in nats and add up to the logit. If they do not, the tool returns an error.
/// - A positive contribution raises the answer's logit.
/// - If the model caps its logits, contributions are to the logit before the cap ([`Attribution::before_softcap`]).
///
/// # When it misleads
///
/// - It sees direct paths only. A head that acts through later heads scores near zero.
/// - A later part may erase what an earlier one wrote (MLP 0 and the last MLPs).
/// - A single logit also counts a push on all tokens alike. A difference of two logits removes it.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `components`, `heads`, `neurons`, `sources` | `fit(prompts, positions)` | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let attribution: DirectLogitAttribution = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// for head in attribution.heads(prompt, &Metric::logit_diff(" Mary", " John"))?.highest(3) {
///     println!("layer {} head {} writes {:+.2} nats", head.layer, head.head, head.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Wang et al.,
/// <https://arxiv.org/abs/2211.00593>.
#[derive(Clone, Debug)]
pub struct DirectLogitAttribution {
    model: HookedTransformer,
}

/// A logit, or a difference of two, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The logit or logit difference in nats, averaged over prompts.
    pub total: f64,
    /// The same for each prompt, in nats: `[prompt]`.
    pub total_per_prompt: Vec<f64>,
    /// Whether the model caps its logits, so that `total` is the value before the cap.
    pub before_softcap: bool,
    /// The contributions in the order the model computes them, `[component]`; their sum is `total`.
    pub components: Vec<Contribution>,
}

impl Tool for DirectLogitAttribution {
    const NAME: &'static str = NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl DirectLogitAttribution {
    /// Every component's contribution to [`Metric::logit`] or [`Metric::logit_diff`], at the metric's position.
    ///
    /// Each prompt is read with its own scale of the final norm.
    ///
    /// # Errors
    ///
    /// Another metric, a token or position out of range, an architecture whose stream is not a sum, numbers that are
    /// not finite.
    pub fn components(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<Attribution> {
        let tokens = prompts.into_tokens(&self.model)?;
        let found = self.each(&tokens, metric, &[], |readout, whole| {
            let (components, total) = (readout.components()?, readout.total(whole.logits)?);
            let values: Vec<f64> = components.iter().map(|component| component.value).collect();
            finite::check(Self::NAME, &self.model, &whole.tokens, "the logit", total)?;
            check_sum(&values, total)?;
            Ok((components, total))
        })?;
        let (components, totals): (Vec<Vec<Contribution>>, Vec<f64>) = found.into_iter().unzip();
        let of_all = |index: usize| {
            let per_prompt: Vec<f64> = components.iter().map(|components| components[index].value).collect();
            Contribution { value: mean(&per_prompt), per_prompt, ..components[0][index].clone() }
        };
        Ok(Attribution {
            total: mean(&totals),
            total_per_prompt: totals,
            before_softcap: self.model.config().final_softcap.is_some(),
            components: (0..components[0].len()).map(of_all).collect(),
        })
    }

    /// Each head's contribution in nats: `[layer][head]`.
    ///
    /// # Errors
    ///
    /// Those of [`DirectLogitAttribution::components`].
    pub fn heads(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<ScoreTable> {
        self.components(prompts, metric)?.heads()
    }

    /// Each neuron's contribution in one layer, in nats: `[1][neuron]`. The MLP's output bias belongs to no neuron.
    ///
    /// # Errors
    ///
    /// Those of [`DirectLogitAttribution::components`], a layer out of range, or a mixture of experts.
    pub fn neurons(
        &self,
        prompts: impl IntoTokens,
        layer: impl Into<Layer>,
        metric: &Metric,
    ) -> Result<ScoreTable<Neuron>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        self.model.w_out(layer)?;
        let tokens = prompts.into_tokens(&self.model)?;
        let found = self.each(&tokens, metric, &[site::mlp_post(layer).to_string()], |readout, whole| {
            let activations = common::numbers(readout.stream.cache.get::<3>(site::mlp_post(layer))?)?;
            let each = common::numbers(readout.along(readout.stream.neuron_directions(layer)?))?;
            let values: Vec<f64> = activations.iter().zip(&each).map(|(activation, each)| activation * each).collect();
            finite::check_all(Self::NAME, &self.model, &whole.tokens, "a neuron's contribution", &values)?;
            readout.check_neurons(layer, &values)?;
            Ok(values)
        })?;
        let neurons: Vec<usize> = (0..self.model.config().d_mlp).collect();
        let per_prompt = neurons.iter().map(|neuron| found.iter().map(|values| values[*neuron]).collect()).collect();
        ScoreTable::of_prompts(Self::NAME, UNITS, vec![layer], neurons, per_prompt)
            .map(|table| table.measured_on(&tokens))
    }

    /// What each layer's attention moves from each position to the metric's position, as a direct contribution in nats:
    /// `[layer][position]`. Prompts have one length.
    ///
    /// The output of a head at the metric's position is a sum over the positions it attends to, each pattern weight times
    /// that position's value. Each term is read like a head's output, and the heads of a layer are added up. A layer's
    /// row adds up to its heads ([`DirectLogitAttribution::heads`]). Information that a later layer moves on, or that an
    /// MLP rewrites, is not followed.
    ///
    /// # Errors
    ///
    /// Those of [`DirectLogitAttribution::components`], and prompts of different lengths.
    pub fn sources(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<ScoreTable<StreamPosition>> {
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let kept = [site::pattern, site::v].map(site::every);
        let layers: Vec<usize> = (0..self.model.config().n_layers).collect();
        let found = self.each(&tokens, metric, &kept, |readout, whole| {
            let of_layer = |layer: &usize| {
                let moved = common::numbers(readout.along(whole.sources(*layer, readout.pos)?))?;
                finite::check_all(Self::NAME, &self.model, &whole.tokens, "a position's contribution", &moved)?;
                readout.check_sources(*layer, &moved)?;
                Ok(moved)
            };
            Ok(layers.iter().map(of_layer).collect::<Result<Vec<_>>>()?.concat())
        })?;
        let per_prompt = (0..found[0].len()).map(|cell| found.iter().map(|values| values[cell]).collect()).collect();
        let positions = common::positions(&self.model, &tokens);
        ScoreTable::of_prompts(Self::NAME, UNITS, layers.clone(), positions, per_prompt)
            .map(|table| table.measured_on(&tokens))
    }

    /// Runs the prompts and collects what `read` makes of each.
    fn each<T>(
        &self,
        tokens: &Tokens,
        metric: &Metric,
        also: &[String],
        read: impl Fn(Readout, Stream) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Some(Linear { terms, position }) = metric.linear(&self.model, tokens.batch())? else {
            let problem =
                format!("`{}` is not a sum of logits; give `Metric::logit` or `Metric::logit_diff`", metric.name());
            return Err(Error::Tool { tool: Self::NAME, problem });
        };
        let bar = progress::bar(Self::NAME, "prompts", tokens.batch());
        let (mut terms, mut found) = (terms.into_iter(), Vec::with_capacity(tokens.batch()));
        for part in common::parts(tokens)? {
            let run = Stream::run(Self::NAME, &self.model, part, also.to_vec())?;
            for (row, terms) in (0..run.tokens.batch()).zip(terms.by_ref()) {
                let whole = run.row(row)?;
                let slot = position.of(&whole.tokens)?[0];
                found.push(read(Readout::new(&whole, terms, slot)?, whole)?);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(found)
    }
}

const UNITS: &str = "direct contribution to the logit (nats)";

impl Attribution {
    /// The sum of all contributions, in nats.
    pub fn sum(&self) -> f64 {
        self.components.iter().map(|component| component.value).sum()
    }

    /// The contribution of a component, in nats.
    pub fn get(&self, label: &str) -> Option<f64> {
        self.components.iter().find(|component| component.label == label).map(|component| component.value)
    }

    /// The `k` contributions furthest from zero, furthest first.
    pub fn top(&self, k: usize) -> Vec<&Contribution> {
        let sizes: Vec<f64> = self.components.iter().map(|component| component.value.abs()).collect();
        common::largest(&sizes, k).into_iter().map(|index| &self.components[index]).collect()
    }

    /// The heads alone, `[layer][head]`, in nats.
    ///
    /// # Errors
    ///
    /// None for an attribution from [`DirectLogitAttribution::components`].
    pub fn heads(&self) -> Result<ScoreTable> {
        let heads: Vec<&Contribution> =
            self.components.iter().filter(|part| part.layer.is_some() && part.head.is_some()).collect();
        let count = |index: fn(&Contribution) -> Option<usize>| {
            heads.iter().filter_map(|part| index(part)).max().map_or(0, |last| last + 1)
        };
        let (layers, columns) = (count(|part| part.layer), count(|part| part.head));
        let per_prompt = heads.iter().map(|part| part.per_prompt.clone()).collect();
        let (rows, columns) = ((0..layers).collect(), (0..columns).collect());
        ScoreTable::of_prompts(DirectLogitAttribution::NAME, UNITS, rows, columns, per_prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
    use arrakis_models::{Side, device};

    impl Readings for DirectLogitAttribution {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let found = self.components(&cases.prompt, &cases.metric);
            vec![
                Reading::numbers("components", found.map(|found| vec![found.total, found.sum()])),
                Reading::table("heads", self.heads(&cases.prompt, &cases.metric)),
                Reading::table("neurons", self.neurons(&cases.prompt, -1, &cases.metric)),
                Reading::table("sources", self.sources(&cases.prompt, &cases.metric)),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("components", || self.components(&cases.prompt, &cases.metric)),
                Call::new("heads", || self.heads(&cases.prompt, &cases.metric)),
                Call::new("neurons", || self.neurons(&cases.prompt, -1, &cases.metric)),
                Call::new("sources", || self.sources(&cases.prompt, &cases.metric)),
            ]
        }
    }

    #[test]
    fn the_planted_copy_head_writes_the_logit() {
        let tool = DirectLogitAttribution::new(&induction_model()).unwrap();
        let found = tool.components([3, 5, 7, 3], &Metric::logit_diff(5, 7)).unwrap();
        assert_eq!(found.heads().unwrap().top(1)[0].label, "L1H0");
        assert!(found.top(1)[0].value > 0.9 * found.total);
    }

    #[test]
    fn the_planted_answer_is_moved_from_where_it_stands() {
        let tool = DirectLogitAttribution::new(&induction_model()).unwrap();
        let found = tool.sources([3, 5, 7, 3], &Metric::logit_diff(5, 7)).unwrap();
        let (best, whole) = (found.top(1).remove(0), tool.heads([3, 5, 7, 3], &Metric::logit_diff(5, 7)).unwrap());
        assert_eq!((best.layer, best.position), (1, 1), "the token after the last occurrence");
        assert!(best.value > 0.9 * whole.values[1][0]);
    }

    #[test]
    fn sources_add_up_to_the_heads_of_a_layer() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let tool = DirectLogitAttribution::new(&fixture(name)).unwrap();
            let metric = Metric::logit_diff(63, 25).at(2);
            let (found, heads) = (tool.sources([34, 17, 29, 49], &metric), tool.heads([34, 17, 29, 49], &metric));
            for (sources, heads) in found.unwrap().values.iter().zip(&heads.unwrap().values) {
                close(sources.iter().sum::<f64>(), heads.iter().sum::<f64>(), 1e-4);
                close(sources[3], 0.0, 0.0);
            }
        }
    }

    #[test]
    fn contributions_add_up_in_every_fixture() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let model = fixture(name);
            let tool = DirectLogitAttribution::new(&model).unwrap();
            for pos in 0..4 {
                let found = tool.components([34, 17, 29, 49], &Metric::logit(63).at(pos)).unwrap();
                let logits = device::read(model.forward([34, 17, 29, 49]).unwrap()).unwrap();
                close(found.total, logits[pos as usize * 120 + 63], 0.0);
                close(found.sum(), found.total, 1e-4);
            }
        }
    }

    #[test]
    fn a_batch_is_the_mean_of_its_prompts_of_any_length() {
        let model = fixture("gpt2");
        let tool = DirectLogitAttribution::new(&model).unwrap();
        let rows = [vec![34, 17, 29, 49], vec![5, 6]];
        let both = Tokens::padded(&rows, Side::Left, 0).unwrap();
        let found = tool.heads(both, &Metric::logit_diffs([63_u32, 25], [25_u32, 63])).unwrap();
        let first = tool.heads(rows[0].as_slice(), &Metric::logit_diff(63, 25)).unwrap();
        let second = tool.heads(rows[1].as_slice(), &Metric::logit_diff(25, 63)).unwrap();
        let best = found.top(1).remove(0);
        let each = [first.get(&best).unwrap(), second.get(&best).unwrap()];
        found.prompts(&best).unwrap().iter().zip(each).for_each(|(ours, alone)| close(*ours, alone, 1e-5));
        close(best.value, f64::midpoint(each[0], each[1]), 1e-6);
    }

    #[test]
    fn neurons_and_bias_are_the_mlp() {
        for name in ["gpt2", "llama"] {
            let tool = DirectLogitAttribution::new(&fixture(name)).unwrap();
            let neurons = tool.neurons([34, 17, 29, 49], 1, &Metric::logit_diff(63, 25)).unwrap().top(2);
            assert!(neurons[0].label.starts_with("L1N") && neurons[0].value.abs() >= neurons[1].value.abs());
        }
        // A bias that nothing accounts for is an error.
        let error = check_sum(&[1.0, 2.0], 3.5).unwrap_err().to_string();
        assert!(error.starts_with("direct_logit_attribution: the contributions add up to 3, not to 3.5;"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let tool = DirectLogitAttribution::new(&fixture("gpt2")).unwrap();
        let message = |metric: Metric| tool.components([1], &metric).unwrap_err().to_string();
        assert_eq!(message(Metric::logit(120)), "token 120 is out of range: there are 120, numbered from 0");
        assert_eq!(message(Metric::logit(0).at(1)), "position 1 is out of range: there are 1, numbered from 0");
        assert_eq!(
            message(Metric::log_prob(0)),
            "direct_logit_attribution: `log p(0)` is not a sum of logits; give `Metric::logit` or `Metric::logit_diff`"
        );
        assert_eq!(
            tool.neurons([1], 3, &Metric::logit(0)).unwrap_err().to_string(),
            "layer 3 is out of range: there are 3, numbered from 0"
        );
    }
}
