//! Products, softmax and mean in one, a block of queries at a time.

use arrakis_kernels::{attend, zeros};
use burn::tensor::Tensor;

use super::super::flex::{all_plain, with_numbers};
use super::super::memory::numbers;
use super::super::scores::{Scores, Scoring};
use super::mixed::of_heads;
use super::sizes::{dims, of_dims, rows, single, with_whole_heads};

/// What the heads read, `[batch, query, head, d_head]`.
///
/// # Errors
///
/// The inputs, if they are not all on the CPU, in single precision and without a graph.
pub(super) fn attention(inputs: [Tensor<4>; 3], how: &Scoring) -> Result<Tensor<4>, [Tensor<4>; 3]> {
    let [q, k, _] = &inputs;
    let ([_, queries, heads, _], keys) = (q.dims(), k.dims()[1]);
    let Some(scores) = Scores::of([heads, queries, keys], how).filter(|_| single(inputs.each_ref())) else {
        return Err(inputs);
    };
    let [q, k, v] = all_plain(inputs)?.map(with_whole_heads);
    let sizes = of_dims(dims(&q), dims(&k));
    let penalty = scores.penalty().map(numbers);
    let to_pattern =
        |row: usize, from: usize, products: &mut [f32]| scores.to_pattern(penalty.as_deref(), row, from, products);
    let mut out = zeros(sizes.batch * queries * heads * sizes.d_head);
    attend(&sizes, [rows(&q), rows(&k), rows(&v)], &scores.spans(), &to_pattern, &mut out);
    Ok(with_numbers(of_heads(out, &sizes)))
}
