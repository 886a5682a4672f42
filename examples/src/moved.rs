//! What a head moves: how much it attends to a name, and how much of the name it writes.
//!
//! Source: Wang et al., <https://arxiv.org/abs/2211.00593>, figure 3.

use arrakis::models::Tokens;
use arrakis::prelude::*;
use arrakis::tools::place::Head;
use burn::tensor::{Int, TensorData};

/// For each prompt, the attention of a head from the last position to all positions that hold a token, and the product of
/// what the head writes there with the token's column of the unembedding, in nats before the last norm's scale.
///
/// `tokens` has one id for each prompt.
///
/// # Errors
///
/// A head out of range, as many tokens as there are not prompts, a device that fails.
pub fn moved(model: &HookedTransformer, prompts: &Tokens, head: Head, tokens: &[u32]) -> Result<Vec<(f64, f64)>> {
    if tokens.len() != prompts.batch() {
        let problem = format!("{} tokens for {} prompts: give one for each", tokens.len(), prompts.batch());
        return Err(Error::Value { of: "moved", problem });
    }
    let (pattern, z) = (site::pattern(head.layer), site::z(head.layer));
    let cache = model.capture(prompts, [pattern, z])?;
    let attention = attention(&cache.get(pattern)?, prompts, head, tokens)?;
    let written = written(model, &cache.get(z)?, prompts, head, tokens)?;
    Ok(attention.into_iter().zip(written.into_iter().map(f64::from)).collect())
}

/// The weights of the last query on all keys that hold the token; patterns are `[batch, head, query, key]`.
fn attention(patterns: &Tensor<4>, prompts: &Tokens, head: Head, tokens: &[u32]) -> Result<Vec<f64>> {
    let [_, _, _, keys] = patterns.dims();
    let of_row = |(row, last): (usize, usize)| {
        let weights =
            patterns.clone().slice([row..row + 1, head.head..head.head + 1, last..last + 1, 0..keys]).read()?;
        let held = weights.iter().zip(&prompts.ids()[row]).zip(&prompts.real()[row]);
        let held = held.filter(|((_, id), real)| **real && **id == tokens[row]);
        Ok(held.map(|((weight, _), _)| f64::from(*weight)).sum())
    };
    prompts.last_positions().into_iter().enumerate().map(of_row).collect()
}

/// What the head writes at the last position along each token's unembedding; `z` is `[batch, pos, head, d_head]`.
fn written(model: &HookedTransformer, z: &Tensor<4>, prompts: &Tokens, head: Head, tokens: &[u32]) -> Result<Vec<f32>> {
    let [_, _, _, d_head] = z.dims();
    let at = |(row, last): (usize, usize)| {
        let own = z.clone().slice([row..row + 1, last..last + 1, head.head..head.head + 1, 0..d_head]);
        own.reshape([1, d_head])
    };
    let read: Tensor<2> = Tensor::cat(prompts.last_positions().into_iter().enumerate().map(at).collect(), 0);
    let w_o: Tensor<2> = model.w_o(head.layer)?.narrow(0, head.head, 1).squeeze_dim(0);
    let ids = tokens.iter().map(|id| i64::from(*id)).collect::<Vec<_>>();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [tokens.len()]), model.device());
    let names = model.w_u().select(1, ids).transpose();
    Ok((read.matmul(w_o) * names).sum_dim(1).read()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::Side;

    fn model() -> HookedTransformer {
        HookedAutoModel::from_pretrained(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tl/gpt2")).unwrap()
    }

    /// `tests/fixtures/circuit/make_circuit.py` has the numbers of torch.
    #[test]
    fn attention_and_what_is_written_are_those_of_torch() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/circuit/reference.json");
        let reference: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).unwrap();
        let prompts: Vec<Vec<u32>> = serde_json::from_value(reference["prompts"].clone()).unwrap();
        let of: (usize, usize, Vec<(u32, Vec<usize>)>) = serde_json::from_value(reference["moved_of"].clone()).unwrap();
        let (layer, head, names) = of;
        let names: Vec<u32> = names.into_iter().map(|(id, _)| id).collect();
        let theirs: Vec<(f64, f64)> = read(&reference["moved"]);
        let model = model();
        // Padding changes nothing.
        let padded: Vec<Vec<u32>> = prompts.iter().cloned().chain([vec![17; 9]]).collect();
        let padded = Tokens::padded(&padded, Side::Left, 17).unwrap();
        let ours = moved(&model, &Tokens::new(prompts).unwrap(), Head { layer, head }, &names).unwrap();
        let with_padding: Vec<u32> = names.into_iter().chain([17]).collect();
        let padded = moved(&model, &padded, Head { layer, head }, &with_padding).unwrap();
        for ((ours, padded), theirs) in ours.iter().zip(&padded).zip(&theirs) {
            for found in [ours, padded] {
                assert!((found.0 - theirs.0).abs() < 1e-6 && (found.1 - theirs.1).abs() < 1e-5, "{found:?} {theirs:?}");
            }
        }
    }

    #[test]
    fn each_prompt_needs_a_token() {
        let prompts = Tokens::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
        let error = moved(&model(), &prompts, Head { layer: 0, head: 0 }, &[1]).unwrap_err().to_string();
        assert_eq!(error, "`moved`: 1 tokens for 2 prompts: give one for each");
    }
}
