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
    /// The number of experts, and how many each token uses.
    #[module(skip)]
    pub counts: Experts,
}

impl MixtureOfExperts {
    /// Takes `name.router` and `name.experts.{e}` from the source.
    pub fn build(source: &mut impl Source, name: &str, counts: Experts, config: &TransformerConfig) -> Self {
        let router =
            Linear::build(source, &format!("{name}.router"), [config.d_model, counts.count], false, Init::Normal(0.02));
        let experts = (0..counts.count).map(|e| Mlp::build(source, &format!("{name}.experts.{e}"), config)).collect();
        Self { router, experts, counts }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `router`, `expert_weights` `[batch, pos, expert]`, `out`,
    /// and each expert's own under `experts.{e}`.
    #[hooked(skip(sum, weight))]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let router = self.router.apply(x.clone());
        let expert_weights = self.weights(router);
        let mut sum = x.zeros_like();
        for (e, expert) in self.experts.iter().enumerate() {
            let weight = expert_weights.clone().narrow(2, e, 1);
            sum = sum + expert.forward(x.clone()) * weight;
        }
        let out = sum;
        out
    }

    /// Probabilities of the chosen experts, summing to one; zero elsewhere. A tie does not choose more than `per_token`.
    fn weights(&self, router: Tensor<3>) -> Tensor<3> {
        let probabilities = activation::softmax(router, 2);
        let (_, chosen) = probabilities.clone().topk_with_indices(self.counts.per_token, 2);
        let ones = Tensor::ones(chosen.dims(), &probabilities.device());
        let kept = probabilities.zeros_like().scatter(2, chosen, ones, IndexingUpdateOp::Add) * probabilities;
        kept.clone() / kept.sum_dim(2)
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
        let counts = Experts { count: 5, per_token: 2 };
        config.experts = Some(counts);
        let device = Device::flex();
        let experts = MixtureOfExperts::build(&mut RandomSource::new(0, &device), "m", counts, &config);
        let mut weights = crate::device::read(experts.weights(Tensor::zeros([1, 1, 5], &device))).unwrap();
        weights.sort_by(f32::total_cmp);
        assert_eq!(weights, [0.0, 0.0, 0.0, 0.5, 0.5]);
    }
}
