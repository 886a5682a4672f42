//! The mean of values by a pattern.

use std::ops::Range;

use arrakis_kernels::Heads;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::super::flex::{Kernel, numbers, with_numbers};
use super::heads::{per_kv_head, per_query_head};
use super::sizes::{dims, rows, with_whole_heads};

#[derive(Clone, Debug)]
pub(super) struct Mixed {
    pub(super) spans: Vec<Range<usize>>,
}

impl Kernel<2> for Mixed {
    /// The pattern and the values.
    type Kept = [FlexTensor; 2];

    fn value(&self, [pattern, v]: [FlexTensor; 2]) -> FlexTensor {
        let ([batch, heads, queries, keys], [_, _, kv_heads, d_head]) = (dims(&pattern), dims(&v));
        let (pattern, v) = (pattern.to_contiguous(), with_whole_heads(v));
        let numbers = pattern.as_slice::<f32>().expect("BUG: the pattern is contiguous and in single precision");
        let mut out = arrakis_kernels::zeros(batch * queries * heads * d_head);
        let sizes = Heads { batch, queries, keys, heads, kv_heads, d_head };
        arrakis_kernels::mixed(&sizes, numbers, rows(&v), &self.spans, &mut out);
        of_heads(out, &sizes)
    }

    fn kept(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        (self.value(inputs.clone()), inputs)
    }

    /// `g Vᵀ` and, summed over the queries' heads that a value serves, `Pᵀ g`.
    fn gradients(&self, kept: [FlexTensor; 2], gradient: FlexTensor) -> [FlexTensor; 2] {
        let [pattern, v] = kept.map(with_numbers::<4>);
        let gradient = with_numbers::<4>(gradient).swap_dims(1, 2);
        let ([_, heads, ..], kv_heads) = (pattern.dims(), v.dims()[2]);
        let columns = per_query_head(v, heads).swap_dims(1, 2).swap_dims(2, 3);
        let of_pattern = gradient.clone().matmul(columns);
        let of_v: Tensor<4> = pattern.swap_dims(2, 3).matmul(gradient).swap_dims(1, 2);
        [of_pattern, per_kv_head(of_v, kv_heads)].map(|x| numbers(x.into_dispatch()))
    }
}

/// `[batch, query, head, d_head]`
pub(super) fn of_heads(numbers: Vec<f32>, sizes: &Heads) -> FlexTensor {
    let shape = Shape::new([sizes.batch, sizes.queries, sizes.heads, sizes.d_head]);
    FlexTensor::new(Bytes::from_elems(numbers), Layout::contiguous(shape), DType::F32)
}
