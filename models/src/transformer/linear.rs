//! An affine map of the last axis.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::source::{Init, Source};
use crate::ground::dtype::widened;
use crate::kernels::{product, products_of};

/// `x W + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[d_in, d_out]`
    pub weight: Param<Tensor<2>>,
    /// `[d_out]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Takes `name.weight` and, if there is one, `name.bias` from the source.
    pub fn build(source: &mut impl Source, name: &str, [d_in, d_out]: [usize; 2], bias: bool, init: Init) -> Self {
        let weight = source.take(&format!("{name}.weight"), [d_in, d_out], init);
        let bias = bias.then(|| Param::from_tensor(source.take(&format!("{name}.bias"), [d_out], Init::Constant(0.0))));
        Self { weight: Param::from_tensor(weight), bias }
    }

    /// The weight `[d_in, d_out]` in single precision, whatever precision it is stored in.
    pub fn matrix(&self) -> Tensor<2> {
        widened(self.weight.val())
    }

    /// Several maps of the same `x`, each `[.., d_in]` to `[.., d_out]`, to the same bits as one by one.
    pub fn apply_each<const N: usize, const D: usize>(maps: [&Self; N], x: Tensor<D>) -> [Tensor<D>; N] {
        let dims = x.dims();
        let d_in = dims[D - 1];
        let rows = dims.iter().product::<usize>() / d_in;
        let maps = maps.map(|map| (map.weight.val(), map.bias.as_ref().map(Param::val)));
        products_of(&x.reshape([rows, d_in]), maps).map(|flat| {
            let mut dims = dims;
            dims[D - 1] = flat.dims()[1];
            flat.reshape(dims)
        })
    }

    /// `[.., d_in]` to `[.., d_out]`. Leading axes are flattened first: one large product is faster than many small ones.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut dims = x.dims();
        let [d_in, d_out] = self.weight.val().dims();
        let rows = dims.iter().product::<usize>() / d_in;
        let bias = self.bias.as_ref().map(Param::val);
        let flat = product(x.reshape([rows, d_in]), self.weight.val(), bias);
        dims[D - 1] = d_out;
        flat.reshape(dims)
    }
}
