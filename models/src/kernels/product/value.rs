//! The numbers of products, from the memory of their tensors.

use arrakis_kernels::{Matrix, Numbers, Order, Product, multiply, zeros};
use burn::backend::TensorMetadata;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use half::{bf16, f16};

/// The product of tensors on the CPU. `x` and the bias are in single precision.
pub(in crate::kernels) fn value(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let [out] = values(x, [(weight.clone(), bias.cloned())]);
    out
}

/// The products of `x` with several weights, each with its bias.
pub(super) fn values<const N: usize>(x: &FlexTensor, maps: [(FlexTensor, Option<FlexTensor>); N]) -> [FlexTensor; N] {
    let (x, rows) = (x.to_contiguous(), x.shape()[0]);
    let maps = maps.map(|(weight, bias)| {
        let weight = if order(&weight).is_some() { weight } else { weight.to_contiguous() };
        (weight, bias.map(|bias| bias.to_contiguous()))
    });
    let widths = maps.each_ref().map(|(weight, _)| weight.shape()[1]);
    let mut outs = widths.map(|width| zeros(rows * width));
    let products = maps.iter().zip(&mut outs).map(|((weight, bias), out)| Product {
        weight: matrix(weight),
        bias: bias.as_ref().map(single),
        out,
    });
    multiply(single(&x), products.collect());
    let mut widths = widths.into_iter();
    outs.map(|out| {
        let shape = Shape::new([rows, widths.next().expect("BUG: each product has a width")]);
        FlexTensor::new(Bytes::from_elems(out), Layout::contiguous(shape), DType::F32)
    })
}

fn order(weight: &FlexTensor) -> Option<Order> {
    let strides = weight.layout().strides();
    Order::of(weight.shape().dims(), [strides[0], strides[1]])
}

fn matrix(weight: &FlexTensor) -> Matrix<'_> {
    let start = weight.layout().start_offset();
    let numbers = match weight.dtype() {
        DType::F16 => Numbers::F16(&weight.storage::<f16>()[start..]),
        DType::BF16 => Numbers::BF16(&weight.storage::<bf16>()[start..]),
        _ => Numbers::F32(&weight.storage::<f32>()[start..]),
    };
    let order = order(weight).expect("BUG: an axis of the weight is contiguous");
    Matrix { numbers, shape: weight.shape().dims(), order }
}

fn single(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("BUG: the tensor is contiguous and in single precision")
}
