//! Operations on heads and neurons.

use arrakis_models::HookedTransformer;

use super::ModelSurgery;
use crate::error::Result;
use crate::tools::Layer;

/// What is done to heads or neurons `(layer, part)`.
type Operation = fn(&HookedTransformer, &[(usize, usize)]) -> Result<HookedTransformer, arrakis_models::Error>;

impl ModelSurgery {
    /// The model with these heads `(layer, head)` silenced: their rows of `W_O` are zero, all shapes stay.
    ///
    /// # Errors
    ///
    /// A layer or head that does not exist, a head named twice, none named.
    pub fn silence_heads(&self, heads: impl IntoIterator<Item = (impl Into<Layer>, usize)>) -> Result<Self> {
        self.operated(heads, HookedTransformer::with_silent_heads)
    }

    /// The model without the weights of these heads `(layer, head)`: a smaller model that computes what
    /// [`ModelSurgery::silence_heads`] gives. As many heads must be left in every layer, since no configuration can say
    /// otherwise, and as many query heads for each key head.
    ///
    /// # Errors
    ///
    /// Those of [`ModelSurgery::silence_heads`]; uneven numbers of heads; an architecture in which the other heads would
    /// change (`ALiBi`, a norm over all heads); a model with splices.
    pub fn remove_heads(&self, heads: impl IntoIterator<Item = (impl Into<Layer>, usize)>) -> Result<Self> {
        self.operated(heads, HookedTransformer::without_heads)
    }

    /// The model with these neurons `(layer, neuron)` silenced: their rows of `W_out` are zero, all shapes stay.
    ///
    /// # Errors
    ///
    /// A layer or neuron that does not exist, a neuron named twice, none named, a mixture of experts.
    pub fn silence_neurons(&self, neurons: impl IntoIterator<Item = (impl Into<Layer>, usize)>) -> Result<Self> {
        self.operated(neurons, HookedTransformer::with_silent_neurons)
    }

    /// The model without the weights of these neurons `(layer, neuron)`: a smaller model that computes what
    /// [`ModelSurgery::silence_neurons`] gives. As many neurons must be left in every layer.
    ///
    /// # Errors
    ///
    /// Those of [`ModelSurgery::silence_neurons`]; uneven numbers of neurons; a model with splices.
    pub fn remove_neurons(&self, neurons: impl IntoIterator<Item = (impl Into<Layer>, usize)>) -> Result<Self> {
        self.operated(neurons, HookedTransformer::without_neurons)
    }

    fn operated(&self, parts: impl IntoIterator<Item = (impl Into<Layer>, usize)>, operate: Operation) -> Result<Self> {
        let parts =
            parts.into_iter().map(|(layer, part)| Ok((self.index(layer)?, part))).collect::<Result<Vec<_>>>()?;
        Ok(self.in_place(operate(&self.model, &parts)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::intervene::ablation::{Ablation, AblationKind};
    use crate::tools::testing::{close, fixture};
    use crate::tools::{Metric, Tool};

    #[test]
    fn a_silent_or_removed_part_is_an_ablated_one() {
        let prompt = [34, 17, 29, 49];
        for name in ["gpt2", "llama"] {
            let model = fixture(name);
            let surgery = ModelSurgery::new(&model).unwrap();
            let (metric, ablation) = (Metric::logit_diff(7, 9), Ablation::new(&model).unwrap());
            let head = ablation.heads(prompt, &metric, AblationKind::Zero).unwrap().values.values[1][2];
            close(surgery.silence_heads([(1, 2)]).unwrap().effect(prompt, &metric).unwrap().after, head, 1e-4);
            let neuron = ablation.neurons(prompt, -1, [3], &metric, AblationKind::Zero).unwrap().values.values[0][0];
            close(surgery.silence_neurons([(-1, 3)]).unwrap().effect(prompt, &metric).unwrap().after, neuron, 1e-4);
            let every = |part: usize| (0..3).map(move |layer| (layer, part));
            let removed = surgery.remove_neurons(every(3)).unwrap().effect(prompt, &metric).unwrap().after;
            close(removed, surgery.silence_neurons(every(3)).unwrap().effect(prompt, &metric).unwrap().after, 1e-4);
        }
    }
}
