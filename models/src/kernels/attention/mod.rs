//! Attention's products: queries with keys, and values mixed by the pattern. `arrakis-kernels` computes them.

mod fused;
mod heads;
mod mixed;
mod products;
mod sizes;
#[cfg(test)]
mod tests;

use burn::tensor::{Bool, Tensor};

use super::flex::run;
use super::scores::{Scoring, pattern};
pub(crate) use heads::per_query_head;
use mixed::Mixed;
use products::Products;
use sizes::{single, sizes, spans, whole};

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

fn products_by_burn(q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
    let n_heads = q.dims()[2];
    q.swap_dims(1, 2).matmul(per_query_head(k, n_heads).swap_dims(1, 2).swap_dims(2, 3))
}

fn mixed_by_burn(pattern: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    let n_heads = pattern.dims()[1];
    pattern.matmul(per_query_head(v, n_heads).swap_dims(1, 2)).swap_dims(1, 2)
}
