//! An affine map of the last axis.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, FloatDType, Tensor};

use super::source::{Init, Source};

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

    /// `[.., d_in]` to `[.., d_out]`. Leading axes are flattened first: one large product is faster than many small ones.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut dims = x.dims();
        let weight = self.matrix();
        let [d_in, d_out] = weight.dims();
        let rows = dims.iter().product::<usize>() / d_in;
        let flat = product(x.reshape([rows, d_in]), weight);
        let flat = match &self.bias {
            Some(bias) => flat + bias.val().unsqueeze(),
            None => flat,
        };
        dims[D - 1] = d_out;
        flat.reshape(dims)
    }
}

/// Converts half precision to single, so everything is computed in single precision however weights are stored.
pub(crate) fn widened<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if matches!(tensor.dtype(), DType::F16 | DType::BF16) { tensor.cast(FloatDType::F32) } else { tensor }
}

/// Inner axes up to this length are summed in one pass.
const SHORT: usize = 1024;

/// Longer inner axes are summed in parts of this length.
const PART: usize = 96;

/// `[rows, d_in]` times `[d_in, d_out]`, summed in parts if the inner axis is long.
///
/// In some models one entry of the stream is in the tens of thousands, and adding small terms to it loses their low bits.
/// Summing in parts confines that loss to one part. It costs 2 % of a forward pass of SmolLM2. A GPU sums in tiles
/// anyway, and each part would cost it a kernel launch.
fn product(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    let [_, d_in] = x.dims();
    if d_in <= SHORT || x.device() != Device::flex() {
        return x.matmul(weight);
    }
    let part = |start: usize| {
        let length = PART.min(d_in - start);
        x.clone().narrow(1, start, length).matmul(weight.clone().narrow(0, start, length))
    };
    let parts = (0..d_in).step_by(PART).map(part);
    parts.reduce(|sum, part| sum + part).expect("BUG: the axis is long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;

    #[test]
    fn a_product_in_parts_rounds_less_than_one_in_one_pass() {
        let device = burn::tensor::Device::flex();
        let length = SHORT + 100;
        let mut x = vec![0.37_f32; length];
        x[0] = 250_000.0;
        let exact: f64 = x.iter().map(|x| f64::from(*x) * f64::from(0.1_f32)).sum();
        let x = Tensor::<2>::from_data(burn::tensor::TensorData::new(x, [1, length]), &device);
        let weight = Tensor::<2>::full([length, 2], 0.1_f32, &device);
        let error = |tensor: Tensor<2>| (f64::from(read(tensor).unwrap()[1]) - exact).abs();
        let (parts, whole) = (error(product(x.clone(), weight.clone())), error(x.matmul(weight)));
        assert!(parts < 0.2 * whole && parts < 0.03, "{parts} in parts, {whole} in one pass");
    }
}
