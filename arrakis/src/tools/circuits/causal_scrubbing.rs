//! Causal scrubbing: how much of a behaviour is left when everything that a hypothesis calls the same is exchanged.

mod node;
mod refuse;
mod scrub;

use arrakis_models::{HookedTransformer, IntoTokens};
use serde::{Deserialize, Serialize};

pub use node::Node;

use refuse::{NAME, refuse};
use scrub::Scrub;

use crate::error::Result;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, Tool};

/// The share of a metric that a hypothesis about the model's computation recovers.
///
/// A hypothesis is a tree of [`Node`]s: heads and MLPs that matter, what they read, and for each the class of every prompt.
/// It says that a node's activation depends on the prompt only through its class. Scrubbing therefore replaces the
/// activation of each node by that of a random prompt of the same class, computed in the same way from its own inputs, and
/// that of every other head and MLP by that of any prompt.
///
/// # What it tells you
///
/// [`Scrubbed::recovered`] is `(random - scrubbed) / (random - model)`: 1 if scrubbing changes nothing, 0 if the hypothesis
/// explains no more than answering with the output of another prompt.
///
/// # How to read it
///
/// Compare a hypothesis with the same one without a node, or with coarser classes: what it loses is what that node or that
/// distinction explains. [`Scrubbed::per_prompt`] is the scrubbed metric of each prompt, a sample for a claim.
///
/// # When it misleads
///
/// - Classes with one prompt scrub nothing: every prompt a class of its own recovers everything.
/// - Two errors that cancel raise the number. A hypothesis that is refuted is wrong; one that is not may be.
/// - The embedding is not scrubbed: a node reads that of the prompt that it was drawn from.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `scrub` | `1 + draws · (nodes + 1)` | 0 |
///
/// `nodes` counts every node of the tree.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
/// use arrakis::prompts::{Known, PromptSet};
///
/// # fn main() -> Result<()> {
/// let bench = Bench::embedded()?;
/// let set = PromptSet::draw(Known::Induction, bench.model(), 96, 0)?.train();
/// let pairs = set.of_template("6 words").pairs(bench.model())?.by_length()?.remove(0);
/// let scrubbing: CausalScrubbing = bench.tool()?;
/// // The last layer's heads depend on the answer alone.
/// let heads = (0..bench.model().config().n_heads).map(|head| Node::head(1, head, &pairs.answers));
/// let found = scrubbing.scrub(&pairs.clean, heads, 2, 0, &pairs.metric())?;
/// println!("{:.0} % recovered", 100.0 * found.recovered()?);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Chan et al., "Causal Scrubbing: a method for rigorously testing interpretability hypotheses" (2022),
/// <https://www.alignmentforum.org/posts/JvZhhzycHu2Yd57RN>.
#[derive(Clone, Debug)]
pub struct CausalScrubbing {
    model: HookedTransformer,
}

impl Tool for CausalScrubbing {
    const NAME: &'static str = NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

/// The metric of a scrubbed model beside that of the model and that of random outputs, in the metric's units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// The mean metric of the model.
    pub model: f64,
    /// The mean metric of the scrubbed model.
    pub scrubbed: f64,
    /// The mean metric of the output of a random prompt.
    pub random: f64,
    /// The scrubbed metric of each prompt, averaged over draws: `[prompt]`.
    pub per_prompt: Vec<f64>,
}

impl Scrubbed {
    /// `(random - scrubbed) / (random - model)`.
    ///
    /// # Errors
    ///
    /// The output of a random prompt is as good as the prompt's own, so that there is nothing to recover.
    pub fn recovered(&self) -> Result<f64> {
        let range = self.random - self.model;
        if range.abs() <= 1e-6 * self.random.abs().max(self.model.abs()) {
            return Err(refuse(format!(
                "the metric is {} for the model and {} for outputs of random prompts, so there is nothing to recover; choose \
                 prompts with different answers",
                self.model, self.random
            )));
        }
        Ok((self.random - self.scrubbed) / range)
    }
}

impl CausalScrubbing {
    /// Scrubs the model on prompts of one length and averages over `draws` draws. `reads` are the nodes that the output reads;
    /// each says what it reads itself.
    ///
    /// # Errors
    ///
    /// A node that the model lacks, that stands twice in one place, or that reads what comes after it; classes for another
    /// number of prompts; prompts of different lengths; no draws; a metric that does not fit the prompts; numbers that
    /// are not finite.
    pub fn scrub(
        &self,
        prompts: impl IntoTokens,
        reads: impl IntoIterator<Item = Node>,
        draws: usize,
        seed: u64,
        metric: &Metric,
    ) -> Result<Scrubbed> {
        let tokens = common::aligned(NAME, &self.model, prompts)?;
        let reads: Vec<Node> = reads.into_iter().collect();
        node::check(&self.model, &reads, tokens.batch())?;
        if draws == 0 {
            return Err(refuse("0 draws scrub nothing; give at least 1"));
        }
        let mut scrub = Scrub::new(&self.model, &tokens, seed)?;
        let model = metric.of_each(&self.model, &scrub.logits, &tokens)?;
        finite::check_all(NAME, &self.model, &tokens, "the metric", &model)?;
        let (mut per_prompt, mut random) = (vec![0.0; tokens.batch()], 0.0);
        for _ in 0..draws {
            let scrubbed = metric.of_each(&self.model, &scrub.output(&reads)?, &tokens)?;
            finite::check_all(NAME, &self.model, &tokens, "the scrubbed metric", &scrubbed)?;
            per_prompt.iter_mut().zip(&scrubbed).for_each(|(sum, value)| *sum += value / draws as f64);
            random += mean(&metric.of_each(&self.model, &scrub.random_output(), &tokens)?) / draws as f64;
        }
        Ok(Scrubbed { model: mean(&model), scrubbed: mean(&per_prompt), random, per_prompt })
    }
}

#[cfg(test)]
mod tests;
