//! Neurons silenced or cut out.

use super::kept::{ignoring, inputs, outputs, rest};
use super::{check_parts, without_splices};
use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::transformer::{ActivationKind, Mlp, Neurons, Transformer};

impl HookedTransformer {
    /// The model with the rows of `W_out` of these neurons `(layer, neuron)` zeroed, so that they write nothing. Its
    /// shape stays the same.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer or neuron that does not exist, [`Error::NoWeight`] for a mixture of experts,
    /// [`Error::Surgery`] for no neurons or one named twice.
    pub fn with_silent_neurons(&self, neurons: &[(usize, usize)]) -> Result<Self> {
        self.check_neurons(neurons)?;
        let mut net = self.net().clone();
        each_mlp(&mut net, neurons, |mlp, own| {
            if !own.is_empty() {
                mlp.w_out = ignoring(&mlp.w_out, own);
            }
        });
        Ok(self.with_net(net))
    }

    /// The model without these neurons `(layer, neuron)`: their weights are gone, and it computes what it does with them
    /// silenced. As many neurons must be left in every layer.
    ///
    /// # Errors
    ///
    /// Those of [`HookedTransformer::with_silent_neurons`], and [`Error::Surgery`] for uneven numbers of neurons and for
    /// a model with splices.
    pub fn without_neurons(&self, neurons: &[(usize, usize)]) -> Result<Self> {
        self.check_neurons(neurons)?;
        without_splices(self, "remove neurons")?;
        if self.config().mlp_norm || self.config().activation == ActivationKind::Solu {
            return Err(refusal("the activation of each depends on all, so the others would change"));
        }
        let gone = |layer: usize| neurons.iter().filter(|(own, _)| *own == layer).count();
        let d_mlp = self.config().d_mlp - gone(0);
        if let Some(layer) = (0..self.config().n_layers).find(|layer| gone(*layer) != gone(0)) {
            let left = self.config().d_mlp - gone(layer);
            return Err(refusal(&format!(
                "layer 0 would have {d_mlp} neurons, layer {layer} {left}, and all layers must have as many"
            )));
        }
        if d_mlp == 0 {
            return Err(refusal("none would be left"));
        }
        let mut net = self.net().clone();
        each_mlp(&mut net, neurons, |mlp, own| {
            let kept = rest(mlp.w_out.weight.dims()[0], own);
            mlp.w_in = outputs(&mlp.w_in, &kept);
            mlp.w_gate = mlp.w_gate.as_ref().map(|gate| outputs(gate, &kept));
            mlp.w_out = inputs(&mlp.w_out, &kept);
        });
        net.config.d_mlp = d_mlp;
        net.config.check()?;
        Ok(self.with_net(net))
    }

    fn check_neurons(&self, neurons: &[(usize, usize)]) -> Result<()> {
        check_parts(self, "neuron", neurons, self.config().d_mlp)?;
        neurons.iter().try_for_each(|(layer, _)| self.w_out(*layer).map(drop))
    }
}

/// Calls a function with each dense MLP and its own neurons.
fn each_mlp(net: &mut Transformer, neurons: &[(usize, usize)], change: impl Fn(&mut Mlp, &[usize])) {
    for (layer, block) in net.blocks.iter_mut().enumerate() {
        let own: Vec<usize> = neurons.iter().filter(|(of, _)| *of == layer).map(|(_, neuron)| *neuron).collect();
        if let Neurons::Dense(mlp) = &mut block.mlp {
            change(mlp, &own);
        }
    }
}

fn refusal(problem: &str) -> Error {
    let problem = format!("{problem}; silence them instead, which keeps the shape of the model");
    Error::Surgery { action: "remove neurons".into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::device::read;
    use crate::model::HookedAutoModel;

    #[test]
    fn a_neuron_that_is_cut_out_is_a_silent_one() {
        for gated in [false, true] {
            let mut config = TransformerConfig::plain("test", 2, 12, 3, 20, 16);
            (config.gated_mlp, config.d_mlp) = (gated, 5);
            let model = HookedAutoModel::lively(&config, 1).unwrap();
            let logits = |model: &HookedTransformer| read(model.forward([1, 2, 3]).unwrap()).unwrap();
            let neurons = [(0, 4), (1, 0), (0, 1), (1, 2)];
            let (cut, silent) =
                (model.without_neurons(&neurons).unwrap(), model.with_silent_neurons(&neurons).unwrap());
            assert_eq!((cut.config().d_mlp, cut.w_in(1).unwrap().dims()), (3, [12, 3]));
            let apart = logits(&cut).iter().zip(logits(&silent)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{apart}");
            assert_ne!(logits(&cut), logits(&model));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 20, 16), 1).unwrap();
        assert_eq!(
            model.without_neurons(&[(1, 3)]).unwrap_err().to_string(),
            "cannot remove neurons: layer 0 would have 48 neurons, layer 1 47, and all layers must have as many; silence them instead, which keeps the shape of the model"
        );
        assert_eq!(
            model.with_silent_neurons(&[(1, 48)]).unwrap_err().to_string(),
            "neuron 48 is out of range: there are 48, numbered from 0"
        );
        assert_eq!(
            model.with_silent_neurons(&[]).unwrap_err().to_string(),
            "cannot change neurons: no neuron is named; give at least one pair of a layer and a neuron"
        );
    }
}
