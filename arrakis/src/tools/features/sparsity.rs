//! How rarely neurons fire, what can be pruned, and which neurons fire for many things.

mod activations;
mod polysemantic;
mod pruning;

pub use activations::SiteSparsity;
pub use pruning::{PruneScope, Pruned, PrunedMatrix};

use arrakis_models::HookedTransformer;

use crate::error::{Error, Result};
use crate::tools::Tool;

/// Activation sparsity, magnitude pruning and polysemantic neurons.
///
/// # What it tells you
///
/// - [`Sparsity::compute_activation_sparsity`]: for each feature of a site, the fraction of tokens at which it is zero or
///   near zero.
/// - [`Sparsity::prune_network`]: the model with the smallest weights of named matrices set to zero, and what that does to
///   a metric.
/// - [`Sparsity::find_polysemantic_neurons`]: for each neuron, how many different tokens share its largest activations.
///
/// # How to read it
///
/// - A sparsity is a fraction of tokens, from 0 (never near zero) to 1 (always). It is counted twice: exactly zero, and
///   of a size up to the threshold, which is in the units of the activation.
/// - Pruning returns a new model. The tool's own stays as it is, so [`Pruned::undo`] gives it back to the bit.
/// - A polysemanticity is an effective number: `exp(-Σ p ln p)`, with `p` each token's share of the neuron's activation. 1 is one token, `n` is `n` tokens with equal shares, 0 a neuron that never fires.
///
/// # When it misleads
///
/// - Only `ReLU` gives exact zeros. GELU and `SiLU` give small negative numbers, so choose a threshold for them and compare
///   a few. A site with both signs, such as `attn_out` or the stream, is near zero by chance only.
/// - Small weights are not unimportant ones: a weight's effect also depends on its input.
/// - A token is a crude label: a neuron for the past tense fires at many tokens and may still have one meaning.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `compute_activation_sparsity`, `neurons`, `find_polysemantic_neurons` | `batches` | 0 |
/// | `effect` | 2 | 0 |
/// | `prune_network` | 0 | 0 |
///
/// `batches` are those you give. A forward stops after the deepest site.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let sparsity: Sparsity = Bench::embedded()?.tool()?;
/// let prompts = ["When Mary and John went to the store,", "John gave a drink to"];
/// for site in sparsity.compute_activation_sparsity(prompts, "*.mlp.post", 0.1)? {
///     println!("{}: {:.0} % within 0.1 of zero", site.site, 100.0 * site.mean_near_zero());
/// }
/// let pruned = sparsity.prune_network(&["blocks.*.mlp.*.weight"], 0.3, PruneScope::EachMatrix)?;
/// let effect = pruned.effect(prompts[1], &Metric::logit_diff(" Mary", " John"))?;
/// println!("without 30 % of the MLPs' weights: {:+.2} nats", effect.change());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Activation sparsity: Li et al., <https://arxiv.org/abs/2210.06313>. Magnitude pruning: Han et al.,
/// <https://arxiv.org/abs/1506.02626>. Polysemantic neurons: Elhage et al., "Toy Models of Superposition", 2022.
#[derive(Clone, Debug)]
pub struct Sparsity {
    model: HookedTransformer,
}

impl Tool for Sparsity {
    const NAME: &'static str = "sparsity";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: Sparsity::NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings};

    impl Readings for Sparsity {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let batch = || [&cases.prompt];
            let found = self.compute_activation_sparsity(batch(), "*.mlp.post", 0.01);
            let near = found.map(|sites| sites.into_iter().flat_map(|site| site.near_zero).collect());
            let pruned = self.prune_network(&["blocks.*.attn.*.weight"], 0.5, PruneScope::EachMatrix);
            let effect = pruned.and_then(|pruned| pruned.effect(&cases.prompt, &cases.metric));
            vec![
                Reading::numbers("compute_activation_sparsity", near),
                Reading::table("neurons", self.neurons(batch(), 0.01)),
                Reading::table("find_polysemantic_neurons", self.find_polysemantic_neurons(batch(), 0, 3)),
                Reading::numbers("effect", effect.map(|effect| vec![effect.before, effect.after])),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let batches = || [&cases.prompt, &cases.other];
            let pruned = || self.prune_network(&["blocks.*"], 0.5, PruneScope::EachMatrix);
            vec![
                Call::new("compute_activation_sparsity", move || {
                    self.compute_activation_sparsity(batches(), "*.mlp.post", 0.1)
                })
                .with([("batches", 2)]),
                Call::new("neurons", move || self.neurons(batches(), 0.1)).with([("batches", 2)]),
                Call::new("find_polysemantic_neurons", move || self.find_polysemantic_neurons(batches(), 0, 3))
                    .with([("batches", 2)]),
                Call::new("prune_network", pruned),
                Call::new("effect", move || pruned()?.effect(&cases.prompt, &cases.metric)),
            ]
        }
    }
}
