//! A mixture of experts in place of an MLP (<https://arxiv.org/abs/2401.04088>).

use arrakis_macros::hooked;
use burn::module::Module;
use burn::tensor::{IndexingUpdateOp, Tensor, activation};

use super::linear::Linear;
use super::mlp::Mlp;
use super::source::{Init, Source};
use crate::config::{Experts, TransformerConfig};

/// The router's best experts, weighted by their renormalised probabilities.
///
/// Every expert runs on every token, and its output is multiplied by its weight. The weight of an expert that is not
/// chosen is zero, so an edit of `expert_weights` can switch any expert on.
#[derive(Module, Debug)]
pub struct MixtureOfExperts {
    /// `[d_model, n_experts]`
    pub router: Linear,
    /// The experts.
    pub experts: Vec<Mlp>,
    /// An expert that every token uses.
    pub shared: Option<Mlp>,
    /// `[d_model, 1]`: the sigmoid of its product is the shared expert's weight.
    pub shared_gate: Option<Linear>,
    /// The number of experts, and how many each token uses.
    #[module(skip)]
    pub counts: Experts,
}

impl MixtureOfExperts {
    /// Takes `name.router`, `name.experts.{e}` and, if there is one, the shared expert from the source.
    pub fn build(source: &mut impl Source, name: &str, counts: Experts, config: &TransformerConfig) -> Self {
        let mut linear = |part: &str, outputs, bias| {
            Linear::build(source, &format!("{name}.{part}"), [config.d_model, outputs], bias, Init::Normal(0.02))
        };
        let router = linear("router", counts.count, counts.router_bias);
        let shared_gate = counts.shared.map(|_| linear("shared_gate", 1, false));
        let experts = (0..counts.count).map(|e| Mlp::build(source, &format!("{name}.experts.{e}"), config)).collect();
        let shared = counts.shared.map(|width| Mlp::of_width(source, &format!("{name}.shared"), width, config));
        Self { router, experts, shared, shared_gate, counts }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `router`, `expert_weights` `[batch, pos, expert]`, `out`,
    /// each expert's own under `experts.{e}`, and the shared expert's under `shared`, with `shared_gate`.
    #[hooked(skip(sum, weight))]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let router = self.router.apply(x.clone());
        let expert_weights = self.weights(router);
        let mut sum = x.zeros_like();
        for (e, expert) in self.experts.iter().enumerate() {
            let weight = expert_weights.clone().narrow(2, e, 1);
            sum = sum + expert.forward(x.clone()) * weight;
        }
        let out = self.with_shared(x, sum);
        out
    }

    #[hooked]
    fn with_shared(&self, x: Tensor<3>, sum: Tensor<3>) -> Tensor<3> {
        if let (Some(gate), Some(shared)) = (&self.shared_gate, &self.shared) {
            let shared_gate = activation::sigmoid(gate.apply(x.clone()));
            sum + shared.forward(x) * shared_gate
        } else {
            sum
        }
    }

    /// Probabilities of the chosen experts, summing to one unless they are kept as they are; zero elsewhere. A tie does
    /// not choose more than `per_token`.
    fn weights(&self, router: Tensor<3>) -> Tensor<3> {
        let probabilities = activation::softmax(router, 2);
        let (_, chosen) = probabilities.clone().topk_with_indices(self.counts.per_token, 2);
        let ones = Tensor::ones(chosen.dims(), &probabilities.device());
        let kept = probabilities.zeros_like().scatter(2, chosen, ones, IndexingUpdateOp::Add) * probabilities;
        if self.counts.keeps_probabilities { kept } else { kept.clone() / kept.sum_dim(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformer::RandomSource;
    use burn::tensor::Device;

    /// A router of zeros makes all experts equally likely, as when experts start as copies of one MLP.
    #[test]
    fn a_tie_does_not_choose_more_experts() {
        let mut config = TransformerConfig::plain("test", 1, 2, 1, 3, 4);
        let counts = Experts::new(5, 2);
        config.experts = Some(counts);
        let device = Device::flex();
        let experts = MixtureOfExperts::build(&mut RandomSource::new(0, &device), "m", counts, &config);
        let mut weights = crate::device::read(experts.weights(Tensor::zeros([1, 1, 5], &device))).unwrap();
        weights.sort_by(f32::total_cmp);
        assert_eq!(weights, [0.0, 0.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn probabilities_are_kept_where_the_architecture_says_so() {
        let config = TransformerConfig::plain("test", 1, 2, 1, 3, 4);
        let (device, counts) = (Device::flex(), Experts { keeps_probabilities: true, ..Experts::new(4, 1) });
        let experts = MixtureOfExperts::build(&mut RandomSource::new(0, &device), "m", counts, &config);
        let router = Tensor::<1>::from_floats([0.0, 3_f32.ln(), 0.0, 0.0], &device).reshape([1, 1, 4]);
        let weights = crate::device::read(experts.weights(router)).unwrap();
        assert!((weights[1] - 0.5).abs() < 1e-6 && weights[0] == 0.0 && weights[2..] == [0.0, 0.0], "{weights:?}");
    }
}
