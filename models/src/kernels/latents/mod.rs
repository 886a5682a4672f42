//! Encoders and decoders of dictionaries in training: few latents are active, and only those cost time.
//!
//! Without a graph the products are those that every other module has, to the same bits.

mod active;
mod decode;
mod encode;
mod jump;
#[cfg(test)]
mod tests;

pub(crate) use active::{Active, active};
pub(crate) use decode::{Slopes, decode};
pub(crate) use encode::encode;
pub(crate) use jump::jump;

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, GradientCheckpointingStrategy};
use burn::tensor::{Bytes, DType, Device, DispatchTensor, Shape, Tensor};

use super::flex::{constant, strategy};
use super::product::fits;

/// For each column of rows on the CPU, whether any number is not zero; `None` elsewhere.
pub(crate) fn any_of_columns(x: &Tensor<2>) -> Option<Vec<bool>> {
    let numbers = constant(x.clone()).filter(|numbers| numbers.dtype() == DType::F32)?.to_contiguous();
    Some(arrakis_kernels::any_of_columns(single(&numbers), x.dims()[1].max(1)))
}

/// The least number above zero of a tensor on the CPU, infinity if there is none; `None` elsewhere.
pub(crate) fn least_positive(x: &Tensor<2>) -> Option<f32> {
    let numbers = constant(x.clone()).filter(|numbers| numbers.dtype() == DType::F32)?.to_contiguous();
    Some(arrakis_kernels::least_positive(single(&numbers)))
}

/// How the graph of one of the tensors is kept, if there is one and they are all on the CPU in single precision.
fn learns(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    centre: Option<&Tensor<1>>,
) -> Option<GradientCheckpointingStrategy> {
    let known = |vector: &Tensor<1>| vector.dtype() == DType::F32 && vector.device() == Device::flex();
    let bias_fits = bias.filter(|bias| bias.dims()[0] == weight.dims()[1]);
    let single = weight.dtype() == DType::F32 && [bias, centre].into_iter().flatten().all(known);
    let matrices = [x, weight].map(|matrix| matrix.clone().into_dispatch());
    let vectors: Vec<DispatchTensor> =
        [bias, centre].into_iter().flatten().map(|vector| vector.clone().into_dispatch()).collect();
    strategy(matrices.iter().chain(&vectors)).filter(|_| single && fits(x, weight, bias_fits))
}

/// The vector, or a constant that nothing reads.
fn or_nothing(vector: Option<Tensor<1>>) -> DispatchTensor {
    vector.unwrap_or_else(|| Tensor::from_floats([0.0], &Device::flex())).into_dispatch()
}

/// A tensor on the CPU.
fn new<const D: usize>(numbers: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(numbers), Layout::contiguous(Shape::new(shape)), DType::F32)
}

fn turned(matrix: FlexTensor) -> FlexTensor {
    Flex::float_transpose(matrix)
}

/// The numbers of a contiguous tensor in single precision.
fn single(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("BUG: the tensor is contiguous and in single precision")
}
