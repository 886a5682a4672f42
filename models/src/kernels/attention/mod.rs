//! Attention's products: queries with keys, and values mixed by the pattern. `arrakis-kernels` computes them.

mod fused;
mod mixed;
mod products;
mod sizes;
#[cfg(test)]
mod tests;

use burn::tensor::{Bool, DType, Tensor};

use super::flex::run;
use super::scores::{Scoring, pattern};
use mixed::Mixed;
use products::Products;
use sizes::{sizes, spans, whole};

/// The products of queries `[batch, query, head, d_head]` and keys `[batch, key, kv_head, d_head]`:
/// `[batch, head, query, key]`. Where the mask hides a key, they may be zero instead.
pub(crate) fn products(q: Tensor<4>, k: Tensor<4>, mask: &Tensor<4, Bool>) -> Tensor<4> {
    match spans(mask).filter(|_| single([&q, &k])) {
        Some(spans) => {
            run(&Products { sizes: sizes(&q, &k), spans }, [q, k]).unwrap_or_else(|[q, k]| products_by_burn(q, k))
        }
        None => products_by_burn(q, k),
    }
}

/// The mean of values `[batch, key, kv_head, d_head]` by a pattern `[batch, head, query, key]`:
/// `[batch, query, head, d_head]`. With a mask, the pattern is zero where that hides a key.
pub(crate) fn mixed(pattern: Tensor<4>, v: Tensor<4>, mask: Option<&Tensor<4, Bool>>) -> Tensor<4> {
    let [_, _, queries, keys] = pattern.dims();
    let spans = mask.map_or_else(|| Some(whole(queries, keys)), spans);
    match spans.filter(|_| single([&pattern, &v])) {
        Some(spans) => run(&Mixed { spans }, [pattern, v]).unwrap_or_else(|[pattern, v]| mixed_by_burn(pattern, v)),
        None => mixed_by_burn(pattern, v),
    }
}

/// [`mixed`] of the [`pattern`] of [`products`], to the same bits. On the CPU and without a graph the pattern never exists
/// as a whole.
pub(crate) fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, how: &Scoring) -> Tensor<4> {
    fused::attention([q, k, v], how)
        .unwrap_or_else(|[q, k, v]| mixed(pattern(products(q, k, how.mask), how), v, Some(how.mask)))
}

/// Each key or value head repeated for the query heads it serves: `[batch, pos, n_heads, d_head]`.
pub(crate) fn per_query_head(x: Tensor<4>, n_heads: usize) -> Tensor<4> {
    let [batch, pos, kv_heads, d_head] = x.dims();
    if kv_heads == n_heads {
        return x;
    }
    let group = n_heads / kv_heads;
    let repeated: Tensor<5> =
        x.reshape([batch, pos, kv_heads, 1, d_head]).expand([batch, pos, kv_heads, group, d_head]);
    repeated.reshape([batch, pos, n_heads, d_head])
}

fn products_by_burn(q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
    let n_heads = q.dims()[2];
    q.swap_dims(1, 2).matmul(per_query_head(k, n_heads).swap_dims(1, 2).swap_dims(2, 3))
}

fn mixed_by_burn(pattern: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    let n_heads = pattern.dims()[1];
    pattern.matmul(per_query_head(v, n_heads).swap_dims(1, 2)).swap_dims(1, 2)
}

/// Whether all are in single precision and have numbers.
fn single<const N: usize>(tensors: [&Tensor<4>; N]) -> bool {
    tensors.iter().all(|x| x.dtype() == DType::F32 && x.dims().iter().product::<usize>() > 0)
}
