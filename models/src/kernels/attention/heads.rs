//! Heads of keys and values beside those of queries.

use burn::tensor::Tensor;

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

/// The sum over the heads that each head of keys or values serves.
pub(super) fn per_kv_head(x: Tensor<4>, kv_heads: usize) -> Tensor<4> {
    let [batch, pos, heads, d_head] = x.dims();
    if kv_heads == heads {
        return x;
    }
    let groups: Tensor<5> = x.reshape([batch, pos, kv_heads, heads / kv_heads, d_head]);
    groups.sum_dim(3).squeeze_dim(3)
}
