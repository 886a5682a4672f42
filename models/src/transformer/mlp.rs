//! The MLP, gated or not.

use arrakis_macros::hooked;
use burn::module::Module;
use burn::tensor::Tensor;

use super::linear::Linear;
use super::norm::Norm;
use super::source::{Init, Source};
use crate::config::{ActivationKind, ClampedGate, TransformerConfig};
use crate::kernels;

/// `act(x W_in + b) W_out + b`, or `(act(x W_gate) * (x W_in)) W_out` (<https://arxiv.org/abs/2002.05202>).
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[d_model, d_mlp]`
    pub w_in: Linear,
    /// `[d_model, d_mlp]`; only in gated MLPs
    pub w_gate: Option<Linear>,
    /// `[d_mlp, d_model]`
    pub w_out: Linear,
    /// On neurons after the nonlinearity (SoLU models).
    pub ln: Option<Norm>,
    /// The neurons' nonlinearity.
    #[module(skip)]
    pub activation: ActivationKind,
    /// The gate in its place, if it is gpt-oss's.
    #[module(skip)]
    pub clamped: Option<ClampedGate>,
}

impl Mlp {
    /// Takes `name.w_in`, `name.w_gate` and `name.w_out` from the source.
    pub fn build(source: &mut impl Source, name: &str, config: &TransformerConfig) -> Self {
        Self::of_width(source, name, config.d_mlp, config)
    }

    /// The same with another number of neurons.
    pub fn of_width(source: &mut impl Source, name: &str, d_mlp: usize, config: &TransformerConfig) -> Self {
        let (d_model, bias) = (config.d_model, config.mlp_bias);
        let mut linear =
            |part: &str, shape| Linear::build(source, &format!("{name}.{part}"), shape, bias, Init::Normal(0.02));
        let w_in = linear("w_in", [d_model, d_mlp]);
        let w_gate = config.gated_mlp.then(|| linear("w_gate", [d_model, d_mlp]));
        let w_out = linear("w_out", [d_mlp, d_model]);
        let ln = config.mlp_norm.then(|| Norm::build(source, &format!("{name}.ln"), d_mlp, config));
        Self { w_in, w_gate, w_out, ln, activation: config.activation, clamped: config.clamped_gate }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `pre`, `pre_linear` (gated), `mid` (normed), `post`, `out`.
    #[hooked(skip(to_gate, to_linear))]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let post = if let Some(w_gate) = &self.w_gate {
            let [to_gate, to_linear] = Linear::apply_each([w_gate, &self.w_in], x);
            let pre = to_gate;
            let pre_linear = to_linear;
            self.gated(pre, pre_linear)
        } else {
            let pre = self.w_in.apply(x);
            self.normed(self.activation.apply(pre))
        };
        let out = self.w_out.apply(post);
        out
    }

    #[hooked]
    fn normed(&self, neurons: Tensor<3>) -> Tensor<3> {
        if let Some(ln) = &self.ln {
            let mid = neurons;
            ln.apply(mid)
        } else {
            neurons
        }
    }

    fn gated(&self, pre: Tensor<3>, pre_linear: Tensor<3>) -> Tensor<3> {
        match self.clamped {
            Some(gate) => gate.apply(pre, pre_linear),
            None => kernels::gate(self.activation, pre, pre_linear),
        }
    }
}

impl ActivationKind {
    /// Applies the nonlinearity, element by element; SoLU over the last axis, which holds the neurons.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        kernels::activation(self, x)
    }
}
