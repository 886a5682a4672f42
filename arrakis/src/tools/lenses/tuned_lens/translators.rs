//! The maps of a tuned lens, one for the stream entering each block.

use burn::tensor::{Device, Tensor};

/// `h + h A + b`. All zeros are the identity, so the lens is then the logit lens.
#[derive(Clone, Debug)]
pub(super) struct Translator {
    /// `A`, `[in, out]`: `[d_model, d_model]`.
    pub(super) weight: Tensor<2>,
    /// `b`, `[d_model]`.
    pub(super) bias: Tensor<1>,
}

impl Translator {
    pub(super) fn zero(d_model: usize, device: &Device) -> Self {
        Self { weight: Tensor::zeros([d_model, d_model], device), bias: Tensor::zeros([d_model], device) }
    }

    /// `[batch, pos, d_model]` to the same.
    pub(super) fn apply(&self, resid: Tensor<3>) -> Tensor<3> {
        let [batch, pos, d_model] = resid.dims();
        let rows = resid.clone().reshape([batch * pos, d_model]);
        let added = rows.matmul(self.weight.clone()) + self.bias.clone().unsqueeze();
        resid + added.reshape([batch, pos, d_model])
    }

    /// The same numbers as leaves of a gradient graph.
    pub(super) fn tracked(&self) -> Self {
        Self {
            weight: Tensor::from_inner(self.weight.clone()).require_grad(),
            bias: Tensor::from_inner(self.bias.clone()).require_grad(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let device = Device::flex();
        let resid = Tensor::<3>::from_floats([[[1.0, 2.0]]], &device);
        let read = |translator: &Translator| arrakis_models::device::read(translator.apply(resid.clone())).unwrap();
        assert_eq!(read(&Translator::zero(2, &device)), [1.0, 2.0]);
        let weight = Tensor::from_floats([[0.0, 10.0], [1.0, 0.0]], &device);
        let bias = Tensor::from_floats([0.5, 0.0], &device);
        assert_eq!(read(&Translator { weight, bias }), [1.0 + 2.0 + 0.5, 2.0 + 10.0]);
    }
}
