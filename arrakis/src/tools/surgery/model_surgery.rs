//! Layers replaced, deleted, permuted, repeated or inserted; heads and neurons removed.

mod layers;
mod parts;
mod scoped;

use arrakis_models::{HookedTransformer, IntoTokens};

use crate::error::{Error, Result};
use crate::tools::{Layer, Metric, MetricChange, Tool};

/// A model with other layers, heads or neurons than the one it is made from.
///
/// # What it tells you
///
/// What a model computes without a layer, with its layers in another order, with a layer twice, with a layer of another
/// model, or without some heads or neurons. The result is a whole [`HookedTransformer`]: it runs, generates, has sites
/// `blocks.0..n`, works with every other tool, and is saved with `save_pretrained`.
///
/// # How to read it
///
/// - Each method returns a new `ModelSurgery`: `let cut = surgery.delete_layers([3])?;`, then [`ModelSurgery::model`].
///   Operations nest: `cut.repeat_layers([0], 2)?` counts the layers of `cut`.
/// - Nothing has to be restored. A model is a handle to tensors that nothing writes to, and an operation makes a second
///   handle. The first gives the same bits before, during and after, even if the code in between fails or panics.
///   [`ModelSurgery::with_layers_deleted`] and its like are the same in scoped form.
/// - [`ModelSurgery::origins`] and [`ModelSurgery::places_of`] map new layers to old ones and back.
/// - A layer keeps its own window, rotation and scale of scores wherever it goes.
///
/// # When it misleads
///
/// - A model was not trained without its layer: later layers read a stream that they have never seen. A large effect
///   shows that the layer is used, not what for.
/// - Learned positions and the unembedding stay, so a much deeper or shallower model has a stream of another scale.
/// - `config.json` cannot say everything: windows of a family without `layer_types`, scales that follow a layer's index
///   (`scale_attn_by_inverse_layer_idx`), or a `d_head` that is not `d_model / n_heads`. `save_pretrained` then refuses
///   by name, and `save_own` writes the model.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `effect` | 2 | 0 |
/// | `delete_layers`, `permute_layers`, `arrange_layers`, `repeat_layers`, `replace_layers`, `insert_layers`, `silence_heads`, `remove_heads`, `silence_neurons`, `remove_neurons` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let surgery: ModelSurgery = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let metric = Metric::logit_diff(" Mary", " John");
/// for layer in 0..surgery.model().config().n_layers {
///     let effect = surgery.delete_layers([layer])?.effect(prompt, &metric)?;
///     println!("without layer {layer}: {:+.2} nats", effect.change());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// `model_surgery.py` of the tuned lens (Belrose et al., <https://arxiv.org/abs/2303.08112>); deleted and swapped layers:
/// Lad et al., <https://arxiv.org/abs/2406.19384>.
#[derive(Clone, Debug)]
pub struct ModelSurgery {
    original: HookedTransformer,
    model: HookedTransformer,
    /// For each layer, the layer of the original model; `None` for a layer of another model.
    origins: Vec<Option<usize>>,
}

impl Tool for ModelSurgery {
    const NAME: &'static str = "model_surgery";

    fn new(model: &HookedTransformer) -> Result<Self> {
        let origins = (0..model.config().n_layers).map(Some).collect();
        Ok(Self { original: model.clone(), model: model.clone(), origins })
    }
}

impl ModelSurgery {
    /// The model as operated on so far.
    pub fn model(&self) -> &HookedTransformer {
        &self.model
    }

    /// The model that the tool was built from.
    pub fn original(&self) -> &HookedTransformer {
        &self.original
    }

    /// For each layer of the model, the layer of the original that it is, `[layer]`; `None` for a layer of another model.
    pub fn origins(&self) -> &[Option<usize>] {
        &self.origins
    }

    /// Where a layer of the original is in the model: nowhere, once or several times, ascending.
    ///
    /// # Errors
    ///
    /// A layer that the original does not have.
    pub fn places_of(&self, layer: impl Into<Layer>) -> Result<Vec<usize>> {
        let layer = layer.into().index(self.original.config().n_layers)?;
        Ok((0..self.origins.len()).filter(|place| self.origins[*place] == Some(layer)).collect())
    }

    /// The metric of the original and of the model on the same prompts. It runs each once.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a metric that does not fit the prompts, numbers that are not finite.
    pub fn effect(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<MetricChange> {
        let tokens = prompts.into_tokens(&self.original)?;
        MetricChange::between(Self::NAME, [&self.original, &self.model], &tokens, metric)
    }

    /// The same surgery on a model whose layers stay where they are.
    fn in_place(&self, model: HookedTransformer) -> Self {
        Self { original: self.original.clone(), model, origins: self.origins.clone() }
    }

    /// The indices of layers of a model, each named once.
    fn indices(&self, layers: impl IntoIterator<Item = impl Into<Layer>>) -> Result<Vec<usize>> {
        let found: Vec<usize> = layers.into_iter().map(|layer| self.index(layer)).collect::<Result<_>>()?;
        if let Some(twice) = (0..found.len()).find(|index| found[..*index].contains(&found[*index])) {
            return Err(refuse(format!("layer {} is named twice; name each once", found[twice])));
        }
        if found.is_empty() {
            return Err(refuse("no layer is named; give at least one".into()));
        }
        Ok(found)
    }

    fn index(&self, layer: impl Into<Layer>) -> Result<usize> {
        layer.into().index(self.model.config().n_layers)
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: ModelSurgery::NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model, passes};
    use arrakis_models::device;

    impl Readings for ModelSurgery {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let cut = self.delete_layers([-1]).map_err(|error| error.to_string());
            let effect =
                cut.and_then(|cut| cut.effect(&cases.prompt, &cases.metric).map_err(|error| error.to_string()));
            vec![Reading::numbers("effect", effect.map(|effect| vec![effect.before, effect.after]))]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("effect", || self.delete_layers([-1])?.effect(&cases.prompt, &cases.metric)),
                Call::new("delete_layers", || self.delete_layers([0])),
                Call::new("permute_layers", || self.permute_layers([2, 1, 0])),
                Call::new("arrange_layers", || self.arrange_layers([0, 0])),
                Call::new("repeat_layers", || self.repeat_layers([0], 2)),
                Call::new("replace_layers", || self.replace_layers([0], &self.model, [1])),
                Call::new("insert_layers", || self.insert_layers(0, &self.model, [1])),
                Call::new("silence_heads", || self.silence_heads([(0, 1)])),
                Call::new("remove_heads", || self.remove_heads([(0, 1), (1, 1), (2, 1)])),
                Call::new("silence_neurons", || self.silence_neurons([(0, 1)])),
                Call::new("remove_neurons", || self.remove_neurons([(0, 1), (1, 1), (2, 1)])),
            ]
        }
    }

    /// The induction model answers with 3 nats of `W_O`, through the final norm, only if both planted heads are there.
    #[test]
    fn without_a_planted_layer_the_answer_is_gone() {
        let surgery = ModelSurgery::new(&induction_model()).unwrap();
        let metric = Metric::logit_diff(5, 7);
        for layer in [0, 1] {
            let cut = surgery.delete_layers([layer]).unwrap();
            let (effect, forwards) = passes("embed", || cut.effect([3, 5, 7, 3], &metric).unwrap());
            assert_eq!(forwards, 2);
            assert!(effect.before > 1.0 && effect.after.abs() < 1e-5, "{layer}: {effect:?}");
            close(effect.change(), effect.after - effect.before, 0.0);
        }
        let silent = surgery.silence_heads([(0, 1)]).unwrap().effect([3, 5, 7, 3], &metric).unwrap();
        close(silent.after, 0.0, 1e-5);
        let other = surgery.silence_heads([(0, 0), (1, 1)]).unwrap().effect([3, 5, 7, 3], &metric).unwrap();
        close(other.change(), 0.0, 0.0);
    }

    #[test]
    fn operations_nest_and_every_layer_knows_where_it_comes_from() {
        let surgery = ModelSurgery::new(&fixture("gpt_neo")).unwrap();
        let cut =
            surgery.delete_layers([1]).unwrap().repeat_layers([-1], 2).unwrap().permute_layers([3, 0, 1, 2]).unwrap();
        assert_eq!(cut.origins(), [Some(3), Some(0), Some(2), Some(3)]);
        assert_eq!((cut.places_of(3).unwrap(), cut.places_of(1).unwrap()), (vec![0, 3], vec![]));
        assert_eq!(cut.model().config().windows, [3, 0, 2, 3].map(|layer| surgery.model().config().windows[layer]));
        let direct = surgery.arrange_layers([3, 0, 2, 3]).unwrap();
        let logits = |surgery: &ModelSurgery| device::read(surgery.model().forward([1, 2, 3]).unwrap()).unwrap();
        assert_eq!(logits(&cut), logits(&direct));
        let (_, cache) = cut.model().run_with_cache([1, 2, 3], ["blocks.3.attn.z"]).unwrap();
        assert_eq!(cache.sites().collect::<Vec<_>>(), ["blocks.3.attn.z"]);
        assert!(cut.model().run_with_cache([1, 2, 3], ["blocks.4.attn.z"]).is_err());
    }
}
