//! What the kernels need to know of tensors and masks.

use std::ops::Range;

use arrakis_kernels::{Heads, Rows};
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, DType, Tensor};

use super::super::flex::constant_mask;
use super::super::seen::Seen;

/// The sizes of queries and keys.
pub(super) fn sizes(q: &Tensor<4>, k: &Tensor<4>) -> Heads {
    of_dims(q.dims(), k.dims())
}

pub(super) fn of_dims([batch, queries, heads, d_head]: [usize; 4], [_, keys, kv_heads, _]: [usize; 4]) -> Heads {
    Heads { batch, queries, keys, heads, kv_heads, d_head }
}

/// From the first to the last key that each query sees; `None` where the mask is not on the CPU.
pub(super) fn spans(mask: &Tensor<4, Bool>) -> Option<Vec<Range<usize>>> {
    Some(Seen::of(&constant_mask(mask.clone())?)?.spans())
}

/// Each query sees all keys.
pub(super) fn whole(queries: usize, keys: usize) -> Vec<Range<usize>> {
    vec![0..keys; queries]
}

/// The tensor, copied if the numbers of a head are not contiguous.
pub(super) fn with_whole_heads(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    if strides[3] == 1 && strides.iter().all(|stride| *stride >= 0) { x } else { x.to_contiguous() }
}

/// The rows of a tensor `[batch, pos, head, d_head]` with whole heads.
pub(super) fn rows(x: &FlexTensor) -> Rows<'_> {
    let strides = x.layout().strides();
    let stride = |axis: usize| strides[axis] as usize;
    Rows { numbers: &x.storage::<f32>()[x.layout().start_offset()..], strides: [stride(0), stride(1), stride(2)] }
}

/// The axes of a tensor.
pub(super) fn dims(x: &FlexTensor) -> [usize; 4] {
    x.shape().dims()
}

/// Whether all are in single precision and have numbers.
pub(super) fn single<const N: usize>(tensors: [&Tensor<4>; N]) -> bool {
    tensors.iter().all(|x| x.dtype() == DType::F32 && x.dims().iter().product::<usize>() > 0)
}
