//! The norms: centre (LayerNorm only), divide by a scale, multiply by a weight.

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::source::{Init, Source};
use crate::config::{NormKind, TransformerConfig};
use crate::hooks;
use crate::kernels::{self, Norming};

/// LayerNorm (<https://arxiv.org/abs/1607.06450>) or RMSNorm (<https://arxiv.org/abs/1910.07467>).
#[derive(Module, Debug)]
pub struct Norm {
    /// `[d]`; absent in `OLMo`, and once folded into the matrices that read the norm.
    pub weight: Option<Param<Tensor<1>>>,
    /// `[d]`; LayerNorm only.
    pub bias: Option<Param<Tensor<1>>>,
    /// What is done before the weight.
    #[module(skip)]
    pub kind: NormKind,
    /// Added inside the root.
    #[module(skip)]
    pub eps: f64,
}

impl Norm {
    /// Takes `name.weight` and `name.bias` from the source, `d` numbers each.
    pub fn build(source: &mut impl Source, name: &str, d: usize, config: &TransformerConfig) -> Self {
        let start = if config.norm.is_offset() { 0.0 } else { 1.0 };
        let mut vector = |part: &str, there: bool, start: f32| {
            there.then(|| Param::from_tensor(source.take(&format!("{name}.{part}"), [d], Init::Constant(start))))
        };
        let weight = vector("weight", !config.unweighted_norms, start);
        let bias = vector("bias", config.norm_bias && !config.unweighted_norms, 0.0);
        Self { weight, bias, kind: config.norm, eps: config.norm_eps }
    }

    /// `[batch, pos, d_model]` to the same. Sites: `scale` `[batch, pos, 1]`, `normalized`.
    #[hooked(skip(centred))]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if !hooks::asked("scale") && !hooks::asked("normalized") {
            return self.apply(x);
        }
        let centred = self.centre(x);
        let scale = self.scale(centred.clone());
        let normalized = centred / scale;
        self.affine(normalized)
    }

    /// The whole norm over the last axis of any tensor, without sites, to the same bits.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        let how = Norming { centred: self.kind.centres(), eps: self.eps, weight: self.factor(), bias };
        kernels::norm(x, &how).unwrap_or_else(|x| {
            let centred = self.centre(x);
            let scale = self.scale(centred.clone());
            self.affine(centred / scale)
        })
    }

    /// `x - mean(x)` for LayerNorm, `x` otherwise.
    pub fn centre<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if self.kind.centres() { kernels::centre(x) } else { x }
    }

    /// `sqrt(mean(x²) + eps)` of the centred input, the last axis of length one.
    pub fn scale<const D: usize>(&self, centred: Tensor<D>) -> Tensor<D> {
        kernels::norm_scale(centred, self.eps)
    }

    /// The norm's own weight and bias.
    pub fn affine<const D: usize>(&self, normalized: Tensor<D>) -> Tensor<D> {
        let mut out = normalized;
        if let Some(factor) = self.factor() {
            out = out * factor.unsqueeze();
        }
        match &self.bias {
            Some(bias) => out + bias.val().unsqueeze(),
            None => out,
        }
    }

    /// What the normalized numbers are multiplied by.
    fn factor(&self) -> Option<Tensor<1>> {
        let weight = self.weight.as_ref()?.val();
        Some(if self.kind.is_offset() { weight + 1.0 } else { weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformer::RandomSource;
    use burn::tensor::Device;

    fn norm(kind: NormKind) -> Norm {
        let mut config = TransformerConfig::plain("test", 1, 2, 1, 3, 4);
        (config.norm, config.norm_bias, config.norm_eps) = (kind, false, 0.0);
        Norm::build(&mut RandomSource::new(0, &Device::flex()), "n", 2, &config)
    }

    fn run(kind: NormKind, x: [f32; 2]) -> Vec<f32> {
        let x = Tensor::<3>::from_floats([[x]], &Device::flex());
        crate::device::read(norm(kind).forward(x)).unwrap()
    }

    #[test]
    fn by_hand() {
        for kind in [NormKind::LayerNorm, NormKind::LayerNormOffset] {
            assert_eq!(run(kind, [1.0, 3.0]), [-1.0, 1.0]);
        }
        let root = 12.5_f32.sqrt();
        for kind in [NormKind::Rms, NormKind::RmsOffset] {
            let out = run(kind, [3.0, 4.0]);
            assert!((out[0] - 3.0 / root).abs() < 1e-6 && (out[1] - 4.0 / root).abs() < 1e-6);
        }
    }
}
