//! Products of queries and keys.

use std::ops::Range;

use arrakis_kernels::{Heads, zeros};
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::super::flex::{Kernel, numbers, with_numbers};
use super::heads::{per_kv_head, per_query_head};
use super::sizes::{rows, with_whole_heads};

#[derive(Clone, Debug)]
pub(super) struct Products {
    pub(super) sizes: Heads,
    pub(super) spans: Vec<Range<usize>>,
}

impl Kernel<2> for Products {
    /// Queries and keys.
    type Kept = [FlexTensor; 2];

    fn value(&self, inputs: [FlexTensor; 2]) -> FlexTensor {
        let [q, k] = inputs.map(with_whole_heads);
        let Heads { batch, queries, keys, heads, .. } = self.sizes;
        let mut out = zeros(batch * heads * queries * keys);
        arrakis_kernels::products(&self.sizes, rows(&q), rows(&k), &self.spans, &mut out);
        FlexTensor::new(
            Bytes::from_elems(out),
            Layout::contiguous(Shape::new([batch, heads, queries, keys])),
            DType::F32,
        )
    }

    fn kept(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        (self.value(inputs.clone()), inputs)
    }

    /// `g K` and, summed over the queries' heads that a key serves, `gᵀ Q`.
    fn gradients(&self, kept: [FlexTensor; 2], gradient: FlexTensor) -> [FlexTensor; 2] {
        let [q, k] = kept.map(with_numbers::<4>);
        let gradient: Tensor<4> = with_numbers(gradient);
        let of_q = gradient.clone().matmul(per_query_head(k, self.sizes.heads).swap_dims(1, 2)).swap_dims(1, 2);
        let of_k = gradient.swap_dims(2, 3).matmul(q.swap_dims(1, 2)).swap_dims(1, 2);
        [of_q, per_kv_head(of_k, self.sizes.kv_heads)].map(|x| numbers(x.into_dispatch()))
    }
}
