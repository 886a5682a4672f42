//! Whether a set of parts is the circuit of a behaviour: five tests of a claim about it.

mod change;
mod cut;
mod edge;
mod edges;
mod equivalence;
mod independence;
mod part;
mod refuse;
mod study;
mod wins;

use arrakis_models::{HookedTransformer, IntoTokens};

pub use edge::{CircuitEdge, EdgeEnd};
pub use equivalence::Equivalence;
pub use independence::{Independence, hsic};
pub use part::CircuitPart;
pub(super) use part::all as all_parts;
pub use study::CircuitUnit;
pub use wins::{MinimalPart, Wins};

use study::{Circuit, Study};
use wins::Sampler;

use crate::error::Result;
use crate::tools::intervene::path_patching::{Receiver, Sender};
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::{Metric, Tool};

/// Five tests of a claim that a set of heads and MLPs, or of edges between them, is the circuit of a behaviour.
///
/// A circuit of parts keeps them. Every other head (`attn.z`) and MLP (`mlp_out`) takes the activation that it has on the source
/// prompts: `from(source).into(target)`. A circuit of edges keeps what runs along them: along every other edge, the receiver
/// reads what the sender writes on the source prompts. A circuit's score is the metric of each target prompt.
///
/// # What it tells you
///
/// | method | null hypothesis | a small p-value says |
/// | --- | --- | --- |
/// | `equivalence` | circuit and model are as likely to be ahead of each other | they differ; `p_equivalent` is the converse |
/// | `independence` | what is left without the circuit is independent of the model | something of the behaviour is left |
/// | `minimality` | each part or edge matters as much as most random additions | it is not needed |
/// | `sufficiency` | random circuits of this size are as faithful | the circuit is better than most of them |
/// | `partial_necessity` | removing random parts hurts as much | removing the circuit hurts more than most |
///
/// # How to read it
///
/// For the first three, a circuit passes if its p-value is large, so that few prompts make it easy to pass: look at
/// `p_equivalent` and at the numbers behind the p-value too. For the last two it passes if the p-value is small. Prompts
/// with equal scores are left out of the sign test, and equal distances count against a rejection.
///
/// Each result can be claimed: `statistic = |found| found.differences.clone()` with a `margin`, or
/// `|found| found.wins.clone()` with `test = Binomial` and the quantile as the null.
///
/// # When it misleads
///
/// - The distance is the mean square difference of the metric over prompts. A circuit may reproduce the metric and nothing
///   else that the model says.
/// - Random edges rarely join into a path, so that a circuit of edges is soon ahead of them: compare its parts too.
/// - Where a norm joins the queries or keys of all heads (`OLMo` 2), an edge into one head's query moves the others a little.
/// - With few parts the random circuits overlap with the circuit and with each other.
/// - A circuit that was found on the same prompts passes too easily: test it on [`PromptPairs::split`](crate::tools::PromptPairs::split)'s other half.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `from` | 0 | 0 |
/// | `scores`, `equivalence`, `independence` | 4 | 0 |
/// | `minimality` | `4 + units` | 0 |
/// | `sufficiency`, `partial_necessity` | `4 + random` | 0 |
///
/// `units` is the number of heads and MLPs, or of edges, in the model; `random` is the number of random circuits. Forwards with
/// cut edges compute the inputs of each head separately.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
/// use arrakis::prompts::{Known, PromptSet};
///
/// # fn main() -> Result<()> {
/// let bench = Bench::embedded()?;
/// let pairs = PromptSet::draw(Known::NameMover, bench.model(), 12, 0)?.train().pairs(bench.model())?.by_length()?.remove(0);
/// let tests: CircuitTests = bench.tool()?;
/// let found = tests.from(&pairs.corrupted).into(&pairs.clean)?;
/// // The later half of the model, beside random halves.
/// let circuit = tests.parts().into_iter().filter(|part| part.layer() > 0);
/// let sufficient = found.sufficiency(circuit, 100, 0.9, &pairs.metric())?;
/// println!("ahead of {} of {} random circuits, p = {}", sufficient.count(), sufficient.wins.len(), sufficient.p_value);
/// // The same without what the first layer's heads write into the values of the second.
/// let heads = 0..bench.model().config().n_heads;
/// let values = heads.clone().map(|head| Receiver::head(1, head, HeadInput::Value));
/// let cut = tests.edges_between(heads.map(|head| Sender::head(0, head)), values)?;
/// let equal = found.equivalence(tests.edges().into_iter().filter(|edge| !cut.contains(edge)), 0.1, &pairs.metric())?;
/// println!("the model is ahead on {} of {} prompts", equal.ahead, equal.unequal);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Shi et al., "Hypothesis Testing the Circuit Hypothesis in LLMs" (2024), <https://arxiv.org/abs/2410.13032>; HSIC: Gretton
/// et al., "A Kernel Statistical Test of Independence" (2007).
#[derive(Clone, Debug)]
pub struct CircuitTests {
    model: HookedTransformer,
}

impl Tool for CircuitTests {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl CircuitTests {
    /// Every part that a circuit can have, layer by layer: the heads, then the MLP.
    pub fn parts(&self) -> Vec<CircuitPart> {
        part::all(&self.model)
    }

    /// Every edge that a circuit can have, receiver by receiver: what the embeddings, a head or an MLP write, as the query, key
    /// or value of a head, an MLP or the logits read it. There are tens of thousands in a model of GPT-2's size.
    pub fn edges(&self) -> Vec<CircuitEdge> {
        edges::all(&self.model)
    }

    /// The edges from each of the senders to each of the receivers. `Sender::resid(0)` is the sum of the embeddings, and
    /// `HeadInput::All` stands for three edges.
    ///
    /// # Errors
    ///
    /// A sender or receiver that the model lacks, or that has a position; a stream, which is a sum of what parts write; no
    /// edge at all.
    pub fn edges_between(
        &self,
        senders: impl IntoIterator<Item = Sender>,
        receivers: impl IntoIterator<Item = Receiver>,
    ) -> Result<Vec<CircuitEdge>> {
        edges::between(&self.model, senders, receivers)
    }

    /// Takes the source prompts, whose activations the parts outside a circuit have; `.into(..)` takes the target prompts.
    pub fn from(&self, source: impl IntoTokens) -> PatchFrom<'_, Self> {
        PatchFrom::new(self, &self.model, source)
    }
}

impl PatchInto<'_, CircuitTests> {
    /// The metric of each target prompt when only the circuit is kept: `[prompt]`, in the metric's units.
    ///
    /// # Errors
    ///
    /// A part that the model lacks, a metric that does not fit the prompts, numbers that are not finite.
    pub fn scores<U: CircuitUnit>(&self, circuit: impl IntoIterator<Item = U>, metric: &Metric) -> Result<Vec<f64>> {
        let study = self.study(metric)?;
        Ok(study.scores(&[study.circuit(circuit)?])?.remove(0))
    }

    /// Whether the circuit is ahead of the model on about half of the prompts. The share may differ from one half by less
    /// than `epsilon`.
    ///
    /// # Errors
    ///
    /// As `scores`, and an `epsilon` outside `(0, 0.5)`.
    pub fn equivalence<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        epsilon: f64,
        metric: &Metric,
    ) -> Result<Equivalence> {
        let study = self.study(metric)?;
        let scores = study.scores(&[study.circuit(circuit)?])?.remove(0);
        Equivalence::of(&study.clean, &scores, epsilon)
    }

    /// Whether the metric without the circuit's parts is independent of the model's metric over prompts: HSIC with
    /// Gaussian kernels, against `draws` permutations.
    ///
    /// # Errors
    ///
    /// As `scores`; fewer than four prompts, and scores that are all equal.
    pub fn independence<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        draws: usize,
        seed: u64,
        metric: &Metric,
    ) -> Result<Independence> {
        let study = self.study(metric)?;
        let without = study.without(&study.circuit(circuit)?);
        let scores = study.scores(&[without])?.remove(0);
        Independence::of(&scores, &study.clean, draws, seed)
    }

    /// Whether each part of the circuit changes the metric more than a random part added to the circuit does, in a share
    /// `quantile` of the additions. The p-values are corrected by Bonferroni for the number of parts.
    ///
    /// # Errors
    ///
    /// As `scores`, a circuit without parts or with all, and a quantile outside `(0, 1)`.
    pub fn minimality<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        quantile: f64,
        metric: &Metric,
    ) -> Result<Vec<MinimalPart<U>>> {
        wins::check(quantile)?;
        let study = self.study(metric)?;
        let circuit = study.proper(circuit)?;
        wins::minimality(&study, &circuit, quantile)
    }

    /// Whether the circuit is more faithful than a share `quantile` of `random` circuits with as many parts (seed 0 draws
    /// them; `scores` takes circuits of your own).
    ///
    /// # Errors
    ///
    /// As [`PatchInto::minimality`].
    pub fn sufficiency<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        random: usize,
        quantile: f64,
        metric: &Metric,
    ) -> Result<Wins> {
        self.against_random(circuit, random, quantile, metric, |_, circuit| circuit.clone(), |own, other| own < other)
    }

    /// Whether removing the circuit changes the metric more than removing a share `quantile` of `random` sets of as many
    /// parts.
    ///
    /// # Errors
    ///
    /// As [`PatchInto::minimality`].
    pub fn partial_necessity<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        random: usize,
        quantile: f64,
        metric: &Metric,
    ) -> Result<Wins> {
        let without = |study: &Study<'_, U>, own: &Circuit<U>| study.without(own);
        self.against_random(circuit, random, quantile, metric, without, |own, other| own > other)
    }

    /// Compares the distance of the circuit, or of what `kept` makes of it, with that of random circuits.
    fn against_random<U: CircuitUnit>(
        &self,
        circuit: impl IntoIterator<Item = U>,
        random: usize,
        quantile: f64,
        metric: &Metric,
        kept: impl Fn(&Study<U>, &Circuit<U>) -> Circuit<U>,
        ahead: fn(f64, f64) -> bool,
    ) -> Result<Wins> {
        wins::check(quantile)?;
        let study = self.study(metric)?;
        let circuit = study.proper(circuit)?;
        let drawn = Sampler::new(0).circuits(&study.units, circuit.len(), random);
        let all: Vec<Circuit<U>> = std::iter::once(&circuit).chain(&drawn).map(|one| kept(&study, one)).collect();
        let distances = study.distances(&all)?;
        Wins::of(distances[0], distances[1..].to_vec(), quantile, ahead)
    }

    fn study<'a, U: CircuitUnit>(&'a self, metric: &'a Metric) -> Result<Study<'a, U>> {
        Study::new(&self.tool.model, &self.source, &self.target, metric)
    }
}

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod tests;
