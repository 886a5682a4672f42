//! Folds value biases into the output bias.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::transformer::Transformer;

/// `b_O += sum_h b_V[h] W_O[h]`, `b_V = 0`. Every row of a pattern sums to one, so a value bias adds a constant.
pub(super) fn apply(mut net: Transformer) -> Transformer {
    let config = net.config.clone();
    for block in &mut net.blocks {
        let Some(bias) = &block.attn.w_v.bias else { continue };
        let group = config.n_heads / config.n_kv_heads;
        let by_head: Tensor<3> =
            bias.val().reshape([config.n_kv_heads, 1, config.d_head]).expand([config.n_kv_heads, group, config.d_head]);
        let row: Tensor<2> = by_head.reshape([1, config.n_heads * config.d_head]);
        let added = row.matmul(block.attn.w_o.matrix()).squeeze_dim::<1>(0);
        let zeros = bias.val().zeros_like();
        block.attn.w_o.bias = Some(Param::from_tensor(match &block.attn.w_o.bias {
            Some(bias) => bias.val() + added,
            None => added,
        }));
        block.attn.w_v.bias = Some(Param::from_tensor(zeros));
    }
    net.config.attn_out_bias |= net.config.qkv_bias;
    net
}
