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
use burn::backend::{DispatchAutodiffContext, Flex};
use burn::tensor::{Bytes, DType, DispatchTensor, Shape, Tensor};

use super::flex::constant;
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

/// Whether the tensors are on the CPU in single precision, one of them in a graph.
fn learns(x: &Tensor<2>, weight: &Tensor<2>, vectors: [Option<&Tensor<1>>; 2]) -> bool {
    let single = weight.dtype() == DType::F32 && vectors.iter().flatten().all(|vector| vector.dtype() == DType::F32);
    single && vectors.iter().all(|vector| fits(x, weight, vector.filter(|vector| vector.dims()[0] == weight.dims()[1])))
}

/// The kind of the graph that any of the tensors is in.
fn context(tensors: &[&DispatchTensor]) -> DispatchAutodiffContext {
    let mut kinds = tensors.iter().map(|tensor| tensor.autodiff);
    kinds.find(|kind| *kind != DispatchAutodiffContext::Disabled).unwrap_or_default()
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
