//! Operations on whole layers.

use arrakis_models::HookedTransformer;
use arrakis_models::surgery::LayerOf;

use super::{ModelSurgery, refuse};
use crate::error::Result;
use crate::tools::Layer;

/// No model of this many copies of a layer is meant.
const MOST_TIMES: usize = 1000;

impl ModelSurgery {
    /// The model without these layers.
    ///
    /// # Errors
    ///
    /// A layer that does not exist or is named twice, no layer named, no layer left, a model with splices.
    pub fn delete_layers(&self, layers: impl IntoIterator<Item = impl Into<Layer>>) -> Result<Self> {
        let gone = self.indices(layers)?;
        self.arranged(&(0..self.origins.len()).filter(|layer| !gone.contains(layer)).collect::<Vec<_>>())
    }

    /// The model with all its layers in this order: layer `order[i]` becomes layer `i`.
    ///
    /// # Errors
    ///
    /// An order that does not name each layer exactly once (the error names the first that it misses), a layer that does
    /// not exist, a model with splices.
    pub fn permute_layers(&self, order: impl IntoIterator<Item = impl Into<Layer>>) -> Result<Self> {
        let order = self.indices(order)?;
        if let Some(missing) = (0..self.origins.len()).find(|layer| !order.contains(layer)) {
            return Err(refuse(format!(
                "the order leaves out layer {missing}; name each of the {} layers once, or use `arrange_layers`",
                self.origins.len()
            )));
        }
        self.arranged(&order)
    }

    /// The model with any of its layers in any order, each as often as it is named: layer `order[i]` becomes layer `i`.
    ///
    /// # Errors
    ///
    /// A layer that does not exist, no layers, a model with splices.
    pub fn arrange_layers(&self, order: impl IntoIterator<Item = impl Into<Layer>>) -> Result<Self> {
        let order: Vec<usize> = order.into_iter().map(|layer| self.index(layer)).collect::<Result<_>>()?;
        self.arranged(&order)
    }

    /// The model with each of these layers run `times` times, its copies right after it. To repeat several layers as one
    /// unit use [`ModelSurgery::arrange_layers`].
    ///
    /// # Errors
    ///
    /// Those of [`ModelSurgery::delete_layers`], and a number of times below 2 or above 1000.
    pub fn repeat_layers(&self, layers: impl IntoIterator<Item = impl Into<Layer>>, times: usize) -> Result<Self> {
        let repeated = self.indices(layers)?;
        if !(2..=MOST_TIMES).contains(&times) {
            return Err(refuse(format!(
                "a layer cannot be repeated {times} times; give a number from 2 to {MOST_TIMES}"
            )));
        }
        let count = |layer: &usize| if repeated.contains(layer) { times } else { 1 };
        let order = (0..self.origins.len()).flat_map(|layer| std::iter::repeat_n(layer, count(&layer)));
        self.arranged(&order.collect::<Vec<_>>())
    }

    /// The model with its layer `layers[i]` replaced by layer `by[i]` of another model.
    ///
    /// # Errors
    ///
    /// Those of [`ModelSurgery::delete_layers`], as many layers as replacements, another model whose blocks have another
    /// architecture (the error names the option).
    pub fn replace_layers(
        &self,
        layers: impl IntoIterator<Item = impl Into<Layer>>,
        other: &HookedTransformer,
        by: impl IntoIterator<Item = impl Into<Layer>>,
    ) -> Result<Self> {
        let (layers, by) = (self.indices(layers)?, layers_of(other, by)?);
        if layers.len() != by.len() {
            return Err(refuse(format!(
                "{} layers cannot be replaced by {}; give one replacement for each",
                layers.len(),
                by.len()
            )));
        }
        let mut parts = self.own()?;
        for (layer, by) in layers.into_iter().zip(by) {
            parts[layer] = (by, None);
        }
        self.made_of(&parts)
    }

    /// The model with layers of another model put in before layer `before`; `-1` puts them after the last.
    ///
    /// # Errors
    ///
    /// A place or a layer that does not exist, and those of [`ModelSurgery::replace_layers`].
    pub fn insert_layers(
        &self,
        before: impl Into<Layer>,
        other: &HookedTransformer,
        layers: impl IntoIterator<Item = impl Into<Layer>>,
    ) -> Result<Self> {
        let before = before.into().index(self.origins.len() + 1)?;
        let inserted = layers_of(other, layers)?;
        if inserted.is_empty() {
            return Err(refuse("no layer is named; give at least one".into()));
        }
        let mut parts = self.own()?;
        parts.splice(before..before, inserted.into_iter().map(|layer| (layer, None)));
        self.made_of(&parts)
    }

    fn arranged(&self, order: &[usize]) -> Result<Self> {
        let own = self.own()?;
        self.made_of(&order.iter().map(|layer| own[*layer]).collect::<Vec<_>>())
    }

    /// The model's own layers, each with where it comes from.
    fn own(&self) -> Result<Vec<(LayerOf<'_>, Option<usize>)>> {
        let layers = self.origins.iter().enumerate();
        layers.map(|(layer, origin)| Ok((LayerOf::new(&self.model, layer)?, *origin))).collect()
    }

    fn made_of(&self, parts: &[(LayerOf<'_>, Option<usize>)]) -> Result<Self> {
        let (layers, origins): (Vec<_>, Vec<_>) = parts.iter().copied().unzip();
        Ok(Self { original: self.original.clone(), model: self.model.with_layers(&layers)?, origins })
    }
}

fn layers_of(
    model: &HookedTransformer,
    layers: impl IntoIterator<Item = impl Into<Layer>>,
) -> Result<Vec<LayerOf<'_>>> {
    let of = |layer: usize| Ok(LayerOf::new(model, layer)?);
    layers.into_iter().map(|layer| of(layer.into().index(model.config().n_layers)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Tool;
    use crate::tools::testing::fixture;
    use arrakis_models::device;

    fn logits(model: &HookedTransformer) -> Vec<u32> {
        device::read(model.forward([34, 17, 29]).unwrap()).unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn a_replaced_layer_and_an_inserted_one_are_the_other_models() {
        let model = fixture("gpt2");
        let other = model.with_silent_heads(&[(1, 0), (1, 1), (2, 3)]).unwrap();
        let surgery = ModelSurgery::new(&model).unwrap();
        let replaced = surgery.replace_layers([1, -1], &other, [1, 2]).unwrap();
        assert_eq!((logits(replaced.model()), replaced.origins()), (logits(&other), &[Some(0), None, None][..]));
        let back = replaced.replace_layers([1, 2], &model, [1, 2]).unwrap();
        assert_eq!(logits(back.model()), logits(&model));
        let longer = surgery.delete_layers([0]).unwrap().insert_layers(0, &model, [0]).unwrap();
        assert_eq!((logits(longer.model()), longer.origins()), (logits(&model), &[None, Some(1), Some(2)][..]));
        let last = surgery.delete_layers([2]).unwrap().insert_layers(-1, &model, [2]).unwrap();
        assert_eq!(logits(last.model()), logits(&model));
    }

    #[test]
    fn mistakes_are_named_and_leave_the_model_as_it_was() {
        let model = fixture("gpt2");
        let surgery = ModelSurgery::new(&model).unwrap();
        let before = logits(surgery.model());
        let said = |made: Result<ModelSurgery>| made.unwrap_err().to_string();
        assert_eq!(said(surgery.delete_layers([3])), "layer 3 is out of range: there are 3, numbered from 0");
        assert_eq!(said(surgery.delete_layers([-4])), "layer -4 is out of range: there are 3, so the first is -3");
        assert_eq!(said(surgery.delete_layers([1, -2])), "model_surgery: layer 1 is named twice; name each once");
        assert_eq!(
            said(surgery.delete_layers([0, 1, 2])),
            "cannot arrange layers: no layer would be left; keep at least one"
        );
        assert_eq!(
            said(surgery.delete_layers(Vec::<i32>::new())),
            "model_surgery: no layer is named; give at least one"
        );
        assert_eq!(
            said(surgery.permute_layers([0, 2])),
            "model_surgery: the order leaves out layer 1; name each of the 3 layers once, or use `arrange_layers`"
        );
        assert_eq!(
            said(surgery.repeat_layers([0], 1)),
            "model_surgery: a layer cannot be repeated 1 times; give a number from 2 to 1000"
        );
        assert_eq!(
            said(surgery.replace_layers([0, 1], &model, [0])),
            "model_surgery: 2 layers cannot be replaced by 1; give one replacement for each"
        );
        let error = said(surgery.replace_layers([0], &fixture("llama"), [0]));
        assert!(
            error.starts_with("cannot take layer 0 of ") && error.ends_with("; the blocks must be alike"),
            "{error}"
        );
        assert_eq!(
            said(surgery.insert_layers(4, &model, [0])),
            "layer 4 is out of range: there are 4, numbered from 0"
        );
        assert_eq!((logits(surgery.model()), logits(&model)), (before.clone(), before));
    }
}
