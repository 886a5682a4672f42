//! Factors each head's two products as evenly as possible.

use burn::module::Param;
use burn::tensor::Tensor;

use super::fold_value_biases;
use crate::error::Result;
use crate::svd::svd;
use crate::transformer::{Linear, Positions, QkNorm, Transformer, TransformerConfig};

/// Why this architecture's heads do not depend on the two products alone.
pub(super) fn refusal(config: &TransformerConfig) -> Option<&'static str> {
    let rotary = matches!(config.positions, Positions::Rotary { .. });
    let reasons = [
        (rotary, "positions rotate queries against keys, so their product differs from pair to pair"),
        (config.qk_norm != QkNorm::None, "queries and keys pass a norm before they meet"),
        (config.n_kv_heads != config.n_heads, "several query heads share one key and one value"),
        (config.qkv_clip.is_some(), "queries, keys and values are clipped"),
        (config.attn_sinks, "a sink takes part of each row of a pattern, so value biases cannot move"),
        (config.d_head > config.d_model, "its heads are wider than the stream"),
    ];
    reasons.into_iter().find_map(|(holds, why)| holds.then_some(why))
}

/// With `W_Q W_Kᵀ = U S Vᵀ`, sets `W_Q = U √S` and `W_K = V √S`, where a bias is one more row with the constant input
/// 1. With `W_V W_O = U S Vᵀ`, sets `W_V = U S` and `W_O = Vᵀ`, after value biases have moved to the output bias.
pub(super) fn apply(net: Transformer) -> Result<Transformer> {
    let mut net = fold_value_biases::apply(net);
    let heads = net.config.n_heads;
    for block in &mut net.blocks {
        let attn = &mut block.attn;
        even(&mut attn.w_q, &mut attn.w_k, heads)?;
        rotate(&mut attn.w_v, &mut attn.w_o, heads)?;
    }
    Ok(net)
}

fn even(queries: &mut Linear, keys: &mut Linear, heads: usize) -> Result<()> {
    let found = svd(&rows(queries, heads), &rows(keys, heads).swap_dims(1, 2))?;
    let root = found.s.sqrt().unsqueeze_dim::<3>(1);
    put(queries, found.u * root.clone());
    put(keys, found.v * root);
    Ok(())
}

fn rotate(values: &mut Linear, output: &mut Linear, heads: usize) -> Result<()> {
    let [width, d_model] = output.matrix().dims();
    let by_head = output.matrix().reshape([heads, width / heads, d_model]);
    let found = svd(&matrices(values, heads), &by_head)?;
    values.weight = joined(found.u * found.s.unsqueeze_dim::<3>(1));
    output.weight = Param::from_tensor(found.v.swap_dims(1, 2).reshape([width, d_model]));
    Ok(())
}

/// `[d_model, heads * d_head]` to `[heads, d_model, d_head]`.
fn matrices(linear: &Linear, heads: usize) -> Tensor<3> {
    let weight = linear.matrix();
    let [d_model, width] = weight.dims();
    weight.reshape([d_model, heads, width / heads]).swap_dims(0, 1)
}

/// `[heads, d_model, d_head]` to `[d_model, heads * d_head]`.
fn joined(matrices: Tensor<3>) -> Param<Tensor<2>> {
    let [heads, d_model, d_head] = matrices.dims();
    Param::from_tensor(matrices.swap_dims(0, 1).reshape([d_model, heads * d_head]))
}

/// Matrices by head, with the bias, if there is one, as the last row.
fn rows(linear: &Linear, heads: usize) -> Tensor<3> {
    let matrices = matrices(linear, heads);
    let [_, _, d_head] = matrices.dims();
    match &linear.bias {
        Some(bias) => Tensor::cat(vec![matrices, bias.val().reshape([heads, 1, d_head])], 1),
        None => matrices,
    }
}

/// The inverse of [`rows`].
fn put(linear: &mut Linear, rows: Tensor<3>) {
    let [heads, _, d_head] = rows.dims();
    let d_model = linear.matrix().dims()[0];
    linear.weight = joined(rows.clone().narrow(1, 0, d_model));
    if let Some(bias) = &mut linear.bias {
        *bias = Param::from_tensor(rows.narrow(1, d_model, 1).reshape([heads * d_head]));
    }
}

#[cfg(test)]
mod tests {
    use crate::device;
    use crate::model::{HookedAutoModel, HookedTransformer};
    use crate::processing::Step;
    use crate::transformer::{Positions, QkNorm, Rope, RopeScaling, TransformerConfig};
    use burn::tensor::{Device, Tensor};

    fn plain() -> TransformerConfig {
        TransformerConfig::plain("test", 2, 12, 3, 20, 16)
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        device::read(tensor).unwrap()
    }

    #[track_caller]
    fn close(a: &[f32], b: &[f32], tolerance: f32) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance), "{a:?}\n{b:?}");
    }

    fn logits(model: &HookedTransformer) -> Vec<f32> {
        numbers(model.forward([1, 2, 3, 4]).unwrap())
    }

    fn columns(matrices: &Tensor<3>) -> Tensor<2> {
        (matrices.clone() * matrices.clone()).sum_dim(1).sqrt().squeeze_dim(1)
    }

    #[test]
    fn logits_stay_the_same_and_the_factors_are_even() {
        let mut alibi = plain();
        alibi.positions = Positions::Alibi { scaled: false };
        let mut bare = plain();
        (bare.qkv_bias, bare.attn_out_bias) = (false, false);
        for config in [plain(), alibi, bare] {
            let raw = HookedAutoModel::lively(&config, 3).unwrap();
            let done = raw.process(&[Step::RefactorFactoredAttnMatrices]).unwrap();
            close(&logits(&done), &logits(&raw), 1e-4);
            assert_eq!(logits(&done.unprocessed()), logits(&raw));
            for layer in 0..2 {
                let (before, after) = (&raw, &done);
                let ov = |model: &HookedTransformer| model.w_v(layer).unwrap().matmul(model.w_o(layer).unwrap());
                close(&numbers(ov(after)), &numbers(ov(before)), 1e-5);
                let rows = after.w_o(layer).unwrap();
                let unit = Tensor::<2>::eye(4, &Device::flex()).unsqueeze::<3>().expand([3, 4, 4]);
                close(&numbers(rows.clone().matmul(rows.swap_dims(1, 2))), &numbers(unit), 1e-5);
                let with_bias =
                    |weight: Tensor<3>, bias: Tensor<2>| Tensor::cat(vec![weight, bias.unsqueeze_dim(1)], 1);
                let queries = with_bias(after.w_q(layer).unwrap(), after.b_q(layer).unwrap());
                let keys = with_bias(after.w_k(layer).unwrap(), after.b_k(layer).unwrap());
                close(&numbers(columns(&queries)), &numbers(columns(&keys)), 1e-5);
                assert!(numbers(after.b_v(layer).unwrap()).iter().all(|bias| *bias == 0.0));
            }
        }
    }

    #[test]
    fn it_is_refused_if_outputs_would_change_and_is_not_a_default() {
        let mut rotary = plain();
        let rope = Rope { theta: 1e4, dims: 4, interleaved: false, scaling: RopeScaling::Default };
        rotary.positions = Positions::Rotary { ropes: vec![rope], by_layer: vec![0, 0] };
        let mut grouped = plain();
        grouped.n_kv_heads = 1;
        let mut normed = plain();
        normed.qk_norm = QkNorm::Head;
        let wide = plain().with_d_head(13);
        for (config, why) in [
            (rotary, "positions rotate queries against keys, so their product differs from pair to pair"),
            (grouped, "several query heads share one key and one value"),
            (normed, "queries and keys pass a norm before they meet"),
            (wide, "its heads are wider than the stream"),
        ] {
            let model = HookedAutoModel::lively(&config, 3).unwrap();
            let error = model.process(&[Step::RefactorFactoredAttnMatrices]).unwrap_err();
            assert_eq!(error.to_string(), format!("`RefactorFactoredAttnMatrices` would change the outputs: {why}"));
        }
        let defaults = Step::defaults(&HookedAutoModel::lively(&plain(), 3).unwrap());
        assert!(!defaults.contains(&Step::RefactorFactoredAttnMatrices));
    }
}
