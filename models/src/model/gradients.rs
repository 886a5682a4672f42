//! Gradients of a metric with respect to the parameters.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;

use super::HookedTransformer;
use super::prompt::IntoTokens;
use crate::error::{Error, Result};
use crate::hooks::{Activation, Plan};
use crate::tokens::Tokens;

impl HookedTransformer {
    /// The gradient of a metric at every parameter it depends on, by the parameter's path and with its axes. The unit
    /// is the metric's per unit of the parameter. The gradient of a tied embedding is the sum over both its uses.
    ///
    /// `metric` takes logits `[batch, pos, d_vocab]` under the plan's edits and returns `[1]`.
    ///
    /// # Errors
    ///
    /// Those of a run and of the metric; [`Error::NoGradient`] if the metric does not depend on any parameter.
    pub fn parameter_gradients(
        &self,
        prompt: impl IntoTokens,
        plan: Plan,
        metric: impl FnOnce(&Tensor<3>, &Tokens) -> Result<Tensor<1>>,
    ) -> Result<BTreeMap<String, Activation>> {
        let tokens = prompt.into_tokens(self)?;
        let model = Self { device: self.device.clone().autodiff(), ..self.with_net(self.net.clone().train()) };
        let outcome = model.run(&tokens, plan)?;
        let metric = metric(&outcome.output, &tokens)?;
        if !metric.is_tracked() {
            return Err(Error::NoGradient { site: "the parameters".into() });
        }
        let gradients = outcome.backward(&metric)?;
        let each = |(name, parameter): (String, Activation)| Some((name, parameter.gradient(&gradients)?));
        Ok(model.parameters().into_iter().filter_map(each).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::model::HookedAutoModel;
    use crate::transformer::TransformerConfig;

    #[allow(clippy::unnecessary_wraps, reason = "a metric may fail")]
    fn metric(logits: &Tensor<3>, _: &Tokens) -> Result<Tensor<1>> {
        Ok(logits.clone().narrow(1, 2, 1).narrow(2, 3, 1).reshape([1]))
    }

    #[test]
    fn gradients_match_finite_differences() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 20, 16), 1).unwrap();
        let found = model.parameter_gradients([1, 5, 9], Plan::new(), metric).unwrap();
        let all = model.parameters();
        assert_eq!(found.keys().collect::<Vec<_>>(), all.iter().map(|(name, _)| name).collect::<Vec<_>>());
        for (name, parameter) in &all {
            assert_eq!(found[name].dims(), parameter.dims(), "{name}");
        }
        let at = |step: f32| {
            let mut net = model.net().clone();
            let weight = &mut net.blocks[0].attn.w_o.weight;
            *weight = weight.clone().map(|w| {
                let [rows, columns] = w.dims();
                let mut values = read(w.clone()).unwrap();
                values[7] += step;
                Tensor::<1>::from_floats(values.as_slice(), &w.device()).reshape([rows, columns])
            });
            let logits = model.with_net(net).forward([1, 5, 9]).unwrap();
            read(metric(&logits, &Tokens::new(vec![vec![1, 5, 9]]).unwrap()).unwrap()).unwrap()[0]
        };
        let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
        let ours = found["blocks.0.attn.w_o.weight"].to_vec().unwrap()[7];
        assert!((numeric - ours).abs() < 1e-2 * (1.0 + numeric.abs()), "{ours} by gradient, {numeric} by difference");
    }

    #[test]
    fn a_metric_that_depends_on_no_parameter_is_refused() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 1, 12, 3, 20, 16), 1).unwrap();
        let constant = |logits: &Tensor<3>, _: &Tokens| Ok(Tensor::zeros([1], &logits.device()));
        let error = model.parameter_gradients([1], Plan::new(), constant).unwrap_err().to_string();
        assert!(error.starts_with("the metric does not depend on `the parameters`"), "{error}");
    }
}
