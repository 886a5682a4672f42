//! Which neurons a fact passes through, by integrated gradients.

mod attribution;
mod path;

pub use attribution::NeuronAttribution;

use arrakis_models::{HookedTransformer, IntoTokens};

use crate::error::{Error, Result};
use crate::tools::shared::common;
use crate::tools::{Metric, Position, Tool};
use path::Path;

/// Integrated gradients of a metric on the neurons of each layer's MLP.
///
/// # What it tells you
///
/// For each layer, the neurons (`mlp.post`) at one position are scaled together from zero to their own values. A neuron's
/// attribution is its value times the mean gradient of the metric on the way: its share of what the layer's neurons do
/// for the metric. The paper's metric is the answer's probability, [`Metric::prob`].
///
/// # How to read it
///
/// - Attributions of a layer add up to the metric minus the metric without the layer's neurons
///   ([`NeuronAttribution::total`]); [`NeuronAttribution::gap`] says how closely.
/// - [`NeuronAttribution::refined`] names the knowledge neurons: those with at least 0.2 of the largest attribution, in at
///   least 0.7 of the prompts. Give prompts that say one fact in different words.
/// - Check them with [`Ablation`](crate::tools::Ablation): zero suppresses them, a scale of 2 amplifies them.
///
/// # When it misleads
///
/// - Prompts of one template share the neurons of the template, and those of the fact cannot be told from them.
/// - An attribution on the way from zero is not the effect of removing one neuron.
/// - Layers are attributed one at a time; attributions of different layers do not add up.
/// - A changed probability is not an edited fact: neurons found so also act on grammar (Niu et al.,
///   <https://arxiv.org/abs/2405.02421>).
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `attribute` | `1 + layers` | `layers` |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let tool: KnowledgeNeurons = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let found = tool.attribute(prompt, &Metric::prob(" Mary"))?;
/// for neuron in found.values.highest(3) {
///     println!("{} carries {:.3} of p", neuron.label, neuron.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Dai et al., <https://arxiv.org/abs/2104.08696>, equations 4 and 5 and section 3.3. The paper takes the gradient at the
/// end of each of 20 steps; here it is taken at the middle, which is closer to the integral. Integrated gradients:
/// Sundararajan et al., <https://arxiv.org/abs/1703.01365>.
#[derive(Clone, Debug)]
pub struct KnowledgeNeurons {
    model: HookedTransformer,
    steps: usize,
    position: Position,
}

impl Tool for KnowledgeNeurons {
    const NAME: &'static str = attribution::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone(), steps: 20, position: Position::LAST })
    }
}

impl KnowledgeNeurons {
    /// The number of steps of the integral. The default is 20, as in the paper.
    #[must_use]
    pub fn steps(&self, steps: usize) -> Self {
        Self { steps, ..self.clone() }
    }

    /// The position of the neurons in each prompt. The default is the last; for an encoder, name the masked token.
    #[must_use]
    pub fn at(&self, position: impl Into<Position>) -> Self {
        Self { position: position.into(), ..self.clone() }
    }

    /// The attribution of every neuron, averaged over prompts of one length: `[layer][neuron]`.
    ///
    /// Each layer is run and differentiated from its own block, with `steps + 1` rows for each prompt.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model or differ in length, a metric that does not fit the prompts or that only a whole
    /// batch has, no steps, a position out of range, a mixture of experts, numbers that are not finite.
    pub fn attribute(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<NeuronAttribution> {
        if self.steps == 0 {
            return Err(Error::Tool {
                tool: Self::NAME,
                problem: "an integral of 0 steps is nothing; give at least 1".into(),
            });
        }
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let layers = 0..self.model.config().n_layers;
        layers.clone().try_for_each(|layer| self.model.w_out(layer).map(|_| ()))?;
        let path = Path::new(Self::NAME, &self.model, &tokens, self.position, self.steps, metric)?;
        let of_layers = layers.map(|layer| path.layer(layer)).collect::<Result<Vec<_>>>()?;
        let found = NeuronAttribution::new(&metric.units(&self.model), path.clean(), of_layers)?;
        Ok(NeuronAttribution { values: found.values.measured_on(&tokens), ..found })
    }
}

#[cfg(test)]
mod tests;
