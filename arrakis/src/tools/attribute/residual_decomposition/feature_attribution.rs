//! The stream's own features, by gradient.

use arrakis_models::{IntoTokens, Plan, site};

use super::{ResidStack, ResidualDecomposition};
use crate::error::Result;
use crate::tools::shared::{common, finite};
use crate::tools::{Metric, Tool};

impl ResidualDecomposition {
    /// `activation · gradient` of the metric at every feature of the stream entering each block and leaving the last one
    /// (`0_pre, 1_pre, …, final_post`): `[step, batch, pos, d_model]`, in the metric's units.
    ///
    /// A number is the change of the metric, to first order, if the feature were doubled. Before a norm the features of a
    /// position nearly cancel, since a norm ignores the length of the stream: look at single features
    /// ([`ResidStack::top_features`]), not at their sum.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a metric that does not fit the prompts, numbers that are not finite.
    pub fn feature_attribution(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<ResidStack> {
        let (model, tokens) = (&self.model, prompts.into_tokens(&self.model)?);
        let n_layers = model.config().n_layers;
        let steps = (0..n_layers).map(|layer| (format!("{layer}_pre"), site::resid_pre(layer)));
        let steps: Vec<_> = steps.chain([("final_post".to_owned(), site::resid_post(n_layers - 1))]).collect();
        let plan = steps.iter().fold(Plan::new(), |plan, (_, site)| plan.capture(*site).grad(*site));
        let outcome = model.run(&tokens, plan)?;
        let values = metric.of_each(model, &outcome.output, &tokens)?;
        finite::check_all(Self::NAME, model, &tokens, "the metric", &values)?;
        let gradients = outcome.gradients(metric.tensor(model, &outcome.output, &tokens)?)?;
        // The gradient is that of the mean over prompts: a prompt's own is as many times larger.
        let prompts = tokens.batch() as f64;
        let mut parts = Vec::new();
        for (label, site) in steps {
            let own = outcome.cache.get::<3>(site)? * gradients.get::<3>(site)? * prompts;
            finite::check(Self::NAME, model, &tokens, "a gradient", common::number(own.clone().abs().sum())?)?;
            parts.push((label, own));
        }
        Ok(ResidStack::new(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, passes, planted};
    use arrakis_models::transformer::NormPlacement;
    use arrakis_models::{Intervention, TransformerConfig, device};

    /// Without norms and blocks that write, a logit is the stream times a row of `W_U`, so the products add up to it.
    #[test]
    fn by_hand() {
        let mut config = TransformerConfig::plain("planted", 1, 2, 1, 3, 4);
        (config.norm_placement, config.final_norm, config.tied) = (NormPlacement::PostOutput, false, false);
        let model = planted(&config, |name, row, column| match (name, row, column) {
            ("embed.weight", 1, 0) => 2.0,
            ("embed.weight", 1, 1) => -3.0,
            ("unembed.weight", 0, 2) => 5.0,
            ("unembed.weight", 1, 2) => 0.5,
            _ => 0.0,
        });
        let tool = ResidualDecomposition::new(&model).unwrap();
        let (found, forwards) = passes("embed", || tool.feature_attribution([0, 1], &Metric::logit(2)).unwrap());
        assert_eq!(forwards, 1);
        assert_eq!(found.labels, ["0_pre", "final_post"]);
        for label in ["0_pre", "final_post"] {
            let values = device::read(found.component(label).unwrap()).unwrap();
            for (a, b) in values.iter().zip([0.0, 0.0, 10.0, -1.5]) {
                close(*a, b, 1e-5);
            }
        }
        let top = found.top_features("final_post", 0, -1, 9).unwrap();
        assert_eq!(top.iter().map(|(feature, _)| *feature).collect::<Vec<_>>(), [0, 1]);
        close(top[1].1, -1.5, 1e-5);
    }

    #[test]
    fn each_number_is_the_slope_of_scaling_the_feature() {
        for name in ["gpt2", "llama"] {
            let (model, prompt, metric) = (fixture(name), [34, 17, 29, 49], Metric::logit_diff(7, 9));
            let found = ResidualDecomposition::new(&model).unwrap().feature_attribution(prompt, &metric).unwrap();
            let values = device::read(found.component("1_pre").unwrap()).unwrap();
            for (pos, feature) in [(3, 4), (2, 20), (3, 31)] {
                let at = |factor: f32| {
                    let edit = Intervention::scale(factor).positions([pos as isize]).features([feature]);
                    let logits = model.run_with_hooks(prompt, [("blocks.1.resid_pre", edit)]).unwrap();
                    metric.value(&model, &logits, &prompt.as_slice().into_tokens(&model).unwrap()).unwrap()
                };
                let slope = (at(1.02) - at(0.98)) / 0.04;
                close(f64::from(values[pos * 32 + feature]), slope, 2e-2 * slope.abs().max(0.05));
            }
        }
    }

    #[test]
    fn each_prompt_of_a_batch_has_its_own() {
        let tool = ResidualDecomposition::new(&fixture("gpt2")).unwrap();
        let rows = [vec![34, 17, 29], vec![5, 61, 80]];
        let both = tool.feature_attribution(rows.to_vec(), &Metric::logit(7)).unwrap();
        let alone = tool.feature_attribution(rows[1].as_slice(), &Metric::logit(7)).unwrap();
        let (both, alone) = (both.component("2_pre").unwrap(), alone.component("2_pre").unwrap());
        let apart = device::read((both.narrow(0, 1, 1) - alone).abs().max()).unwrap()[0];
        close(apart, 0.0, 1e-5);
        let error = tool.feature_attribution([1, 2], &Metric::logit(120)).unwrap_err().to_string();
        assert_eq!(error, "token 120 is out of range: there are 120, numbered from 0");
    }
}
