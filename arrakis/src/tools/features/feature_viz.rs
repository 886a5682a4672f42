//! What activates a neuron, a head or a direction: text of a corpus, and inputs made for it.

mod dream;
mod embedding;
mod examples;
mod interpolation;
mod objective;

pub use dream::{DreamSearch, Dreamed, Dreams};
pub use embedding::{EmbeddingSearch, NearestToken, OptimisedInput};
pub use examples::{ExampleSearch, FeatureExamples};
pub use interpolation::Interpolation;

use arrakis_models::HookedTransformer;

use crate::error::{Error, Result};
use crate::tools::Tool;

/// What activates a unit: a neuron, a head, a direction, or a latent of a dictionary ([`Unit`](crate::corpus::Unit)).
///
/// # What it tells you
///
/// - [`FeatureViz::examples`]: the tokens of a corpus on which a unit is most active, with the text around them, and
///   tokens from the whole range of its activations.
/// - [`FeatureViz::optimise`]: the input vectors that activate it most, and how far real tokens stay behind.
/// - [`FeatureViz::dream`]: token sequences that activate it, weighed against how likely the model finds them.
/// - [`FeatureViz::interpolate`]: how the output changes on the way from one neuron to another.
///
/// # How to read it
///
/// - Look for what the examples have in common, then check it on the lower quantiles: what only the highest examples share
///   explains only those.
/// - The gap of an optimised input is the share of the activation that no nearby text reaches.
/// - A dream that the corpus does not contain is a hypothesis about the unit. Test it on text of your own.
///
/// # When it misleads
///
/// - The highest activations are rare. A neuron with several meanings shows only the one with the largest activations.
/// - A corpus of one kind of text shows meanings of that kind alone.
/// - Optimised vectors lie where no token is, and dreams are unlikely text: both may use behaviour that training never
///   tested.
/// - The text of a dream may be tokenised differently; [`Dreamed::round_trips`] says so.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `examples`, `activate_neuron` | `batches` | 0 |
/// | `optimise` | `steps + 2 + fit(16 · starts, length)` | `steps + 1` |
/// | `dream` | `fit(weights, length) + rounds · (1 + fit(weights · children, length))` | `rounds` |
/// | `interpolate` | 1 | 0 |
///
/// `batches` are those of the pass, of 4096 tokens each; `length` includes the prefix of a dream, `weights` counts its
/// weights of fluency. Without fluency a forward stops after the unit's block.
///
/// # Example
///
/// ```
/// use arrakis::corpus::{Corpus, Unit};
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let viz: FeatureViz = Bench::embedded()?.tool()?;
/// let corpus = Corpus::texts(["When Mary and John went to the store, John gave a drink to Mary", "The war lasted long"]);
/// let found = viz.examples(&corpus, [Unit::neuron(0, 3)], &ExampleSearch::default())?;
/// println!("{found}");
/// let page = found.figure(0)?.to_html();
/// # assert!(page.contains("L0N3"));
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Examples and quantiles: Bricken et al. 2023, <https://transformer-circuits.pub/2023/monosemantic-features>. Dreams: evolutionary
/// prompt optimisation, Thompson et al. 2024, <https://arxiv.org/abs/2402.01702>, with the first-order candidates of
/// `HotFlip`, Ebrahimi et al. 2018, <https://arxiv.org/abs/1712.06751>. Optimised inputs: Olah et al. 2017,
/// <https://distill.pub/2017/feature-visualization>.
#[derive(Clone, Debug)]
pub struct FeatureViz {
    model: HookedTransformer,
}

impl Tool for FeatureViz {
    const NAME: &'static str = "feature_viz";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

/// The same error under this tool's name.
fn own(error: Error) -> Error {
    match error {
        Error::NotFinite { what, value, place, fix, .. } => {
            Error::NotFinite { tool: FeatureViz::NAME, what, value, place, fix }
        }
        other => other,
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: FeatureViz::NAME, problem }
}

#[cfg(test)]
mod tests;
