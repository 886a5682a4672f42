//! Whether a set of parts is the circuit of a behaviour: five tests of a claim about it.

mod equivalence;
mod independence;
mod part;
mod refuse;
mod study;
mod wins;

use arrakis_models::{HookedTransformer, IntoTokens};

pub use equivalence::Equivalence;
pub use independence::{Independence, hsic};
pub use part::CircuitPart;
pub(super) use part::all as all_parts;
pub use wins::{MinimalPart, Wins};

use part::Circuit;
use study::Study;
use wins::Sampler;

use crate::error::Result;
use crate::tools::shared::patch_pair::{PatchFrom, PatchInto};
use crate::tools::{Metric, Tool};

/// Five tests of a claim that a set of heads and MLPs is the circuit of a behaviour.
///
/// A circuit keeps its parts. Every other head (`attn.z`) and MLP (`mlp_out`) takes the activation that it has on the source
/// prompts: `from(source).into(target)`. Its score is the metric of each target prompt.
///
/// # What it tells you
///
/// | method | null hypothesis | a small p-value says |
/// | --- | --- | --- |
/// | `equivalence` | circuit and model are as likely to be ahead of each other | they differ; `p_equivalent` is the converse |
/// | `independence` | what is left without the circuit is independent of the model | something of the behaviour is left |
/// | `minimality` | each part matters as much as most random additions | a part is not needed |
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
/// | `minimality` | `3 + 2 · layers · (heads + 1)` | 0 |
/// | `sufficiency`, `partial_necessity` | `3 + random` | 0 |
///
/// `random` is the number of random circuits.
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
    pub fn scores(&self, circuit: impl IntoIterator<Item = CircuitPart>, metric: &Metric) -> Result<Vec<f64>> {
        let study = self.study(metric)?;
        Ok(study.scores(&[study.circuit(circuit)?])?.remove(0))
    }

    /// Whether the circuit is ahead of the model on about half of the prompts. The share may differ from one half by less
    /// than `epsilon`.
    ///
    /// # Errors
    ///
    /// As `scores`, and an `epsilon` outside `(0, 0.5)`.
    pub fn equivalence(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
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
    pub fn independence(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
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
    pub fn minimality(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
        quantile: f64,
        metric: &Metric,
    ) -> Result<Vec<MinimalPart>> {
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
    pub fn sufficiency(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
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
    pub fn partial_necessity(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
        random: usize,
        quantile: f64,
        metric: &Metric,
    ) -> Result<Wins> {
        let without = |study: &Study<'_>, own: &Circuit| study.without(own);
        self.against_random(circuit, random, quantile, metric, without, |own, other| own > other)
    }

    /// Compares the distance of the circuit, or of what `kept` makes of it, with that of random circuits.
    fn against_random(
        &self,
        circuit: impl IntoIterator<Item = CircuitPart>,
        random: usize,
        quantile: f64,
        metric: &Metric,
        kept: impl Fn(&Study, &Circuit) -> Circuit,
        ahead: fn(f64, f64) -> bool,
    ) -> Result<Wins> {
        wins::check(quantile)?;
        let study = self.study(metric)?;
        let circuit = study.proper(circuit)?;
        let drawn = Sampler::new(0).circuits(&study.parts, circuit.len(), random);
        let all: Vec<Circuit> = std::iter::once(&circuit).chain(&drawn).map(|one| kept(&study, one)).collect();
        let distances = study.distances(&all)?;
        Wins::of(distances[0], distances[1..].to_vec(), quantile, ahead)
    }

    fn study<'a>(&'a self, metric: &'a Metric) -> Result<Study<'a>> {
        Study::new(&self.tool.model, &self.source, &self.target, metric)
    }
}

#[cfg(test)]
mod tests;
