//! The numbers of a product, from the memory of its tensors.

use arrakis_kernels::{Matrix, Numbers, Order, multiply};
use burn::backend::TensorMetadata;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use half::{bf16, f16};

/// The product of tensors on the CPU. `x` and the bias are in single precision.
pub(super) fn value(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let rows = x.shape()[0];
    let shape: [usize; 2] = weight.shape().dims();
    let strides = weight.layout().strides();
    let Some(order) = Order::of(shape, [strides[0], strides[1]]) else {
        return value(x, &weight.to_contiguous(), bias);
    };
    let start = weight.layout().start_offset();
    let numbers = match weight.dtype() {
        DType::F16 => Numbers::F16(&weight.storage::<f16>()[start..]),
        DType::BF16 => Numbers::BF16(&weight.storage::<bf16>()[start..]),
        _ => Numbers::F32(&weight.storage::<f32>()[start..]),
    };
    let (x, bias) = (x.to_contiguous(), bias.map(FlexTensor::to_contiguous));
    let mut out = vec![0.0; rows * shape[1]];
    multiply(single(&x), &Matrix { numbers, shape, order }, bias.as_ref().map(single), &mut out);
    FlexTensor::new(Bytes::from_elems(out), Layout::contiguous(Shape::new([rows, shape[1]])), DType::F32)
}

fn single(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("BUG: the tensor is contiguous and in single precision")
}
