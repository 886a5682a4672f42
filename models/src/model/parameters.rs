//! A model with some of its parameters replaced.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::HookedTransformer;
use crate::error::{Error, Result};
use crate::ground::nearest::{did_you_mean, nearest};
use crate::hooks::{Activation, ParameterPath};

impl HookedTransformer {
    /// The model with these parameters, by the path that [`HookedTransformer::parameters`] gives. All others are shared.
    ///
    /// # Errors
    ///
    /// [`Error::Surgery`] for a path that no parameter has (the error names the nearest) and for another shape.
    pub fn with_parameters(&self, parameters: BTreeMap<String, Activation>) -> Result<Self> {
        let known: BTreeMap<String, Activation> = self.parameters().into_iter().collect();
        for (path, new) in &parameters {
            check(path, new, &known)?;
        }
        let mut replace = Replace { path: ParameterPath::default(), new: parameters };
        Ok(self.with_net(self.net().clone().map(&mut replace)))
    }
}

fn check(path: &str, new: &Activation, known: &BTreeMap<String, Activation>) -> Result<()> {
    let refusal = |problem: String| Error::Surgery { action: format!("replace the parameter `{path}`"), problem };
    let Some(own) = known.get(path) else {
        let names: Vec<&String> = known.keys().collect();
        let hint = did_you_mean(nearest(path, &names).as_deref(), ";");
        return Err(refusal(format!("the model has none of this name{hint} `parameters()` lists them all")));
    };
    if own.dims() == new.dims() {
        return Ok(());
    }
    Err(refusal(format!("its shape is {:?}, the new one has {:?}", own.dims(), new.dims())))
}

/// Replaces parameters by path.
struct Replace {
    path: ParameterPath,
    new: BTreeMap<String, Activation>,
}

impl ModuleMapper for Replace {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.new.remove(&self.path.joined()) {
            Some(new) => param.map(|_| new.tensor::<D>().expect("BUG: the shape was checked")),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::model::HookedAutoModel;

    #[test]
    fn only_the_named_parameter_is_replaced() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 20, 16), 1).unwrap();
        let values = |model: &HookedTransformer| -> BTreeMap<String, Vec<f32>> {
            model.parameters().into_iter().map(|(path, own)| (path, own.to_vec().unwrap())).collect()
        };
        let zero = Activation::new(model.w_o(1).unwrap().reshape([12, 12]).zeros_like());
        let path = "blocks.1.attn.w_o.weight";
        let made = model.with_parameters([(path.to_owned(), zero.clone())].into()).unwrap();
        let mut expected = values(&model);
        expected.insert(path.into(), vec![0.0; 144]);
        assert_eq!(values(&made), expected);
        let said = |path: &str, new: Activation| {
            model.with_parameters([(path.to_owned(), new)].into()).unwrap_err().to_string()
        };
        assert_eq!(
            said("blocks.1.attn.wo.weight", zero.clone()),
            "cannot replace the parameter `blocks.1.attn.wo.weight`: the model has none of this name; did you mean `blocks.1.attn.w_o.weight`? `parameters()` lists them all"
        );
        assert_eq!(
            said("blocks.1.attn.w_o.bias", zero),
            "cannot replace the parameter `blocks.1.attn.w_o.bias`: its shape is [12], the new one has [12, 12]"
        );
    }
}
