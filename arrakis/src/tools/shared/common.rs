//! What the tools share: checks at the door, labels, numbers out of tensors.

use arrakis_models::{Error as ModelError, HookedTransformer, IntoTokens, Tokens, conformance, device};
use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// Fails with the valid range unless `asked < length`.
pub(crate) fn within(what: &'static str, asked: usize, length: usize) -> Result<()> {
    if asked < length { Ok(()) } else { Err(ModelError::out_of_range(what, asked, length).into()) }
}

/// Checks a layer and a head of a model.
pub(crate) fn check_head(model: &HookedTransformer, layer: usize, head: usize) -> Result<()> {
    within("layer", layer, model.config().n_layers)?;
    within("head", head, model.config().n_heads)
}

/// Checks a token id of a model's vocabulary.
pub(crate) fn check_token(model: &HookedTransformer, token: u32) -> Result<()> {
    within("token", token as usize, model.config().d_vocab)
}

/// The prompt as one row of tokens.
pub(crate) fn one_row(tool: &'static str, model: &HookedTransformer, prompt: impl IntoTokens) -> Result<Tokens> {
    let tokens = prompt.into_tokens(model)?;
    if tokens.batch() == 1 {
        return Ok(tokens);
    }
    Err(Error::Tool {
        tool,
        problem: format!("takes one prompt at a time, got {}; call it once for each", tokens.batch()),
    })
}

/// Checks that two prompts can be patched one into the other.
pub(crate) fn check_pair(tool: &'static str, source: &Tokens, target: &Tokens) -> Result<()> {
    let (from, into) = ([source.batch(), source.pos()], [target.batch(), target.pos()]);
    if from == into && source.real() == target.real() {
        return Ok(());
    }
    let problem = format!(
        "the source is {} × {} tokens, the target {} × {}{}; patch between prompts that align token by token",
        from[0],
        from[1],
        into[0],
        into[1],
        if from == into { ", padded in other places" } else { "" }
    );
    Err(Error::Tool { tool, problem })
}

/// Each token's own text, in the first row; its id where the model has no tokenizer.
pub(crate) fn labels(model: &HookedTransformer, tokens: &Tokens) -> Vec<String> {
    tokens.ids()[0].iter().map(|id| label(model, *id)).collect()
}

/// One token's own text; its id where the model has no tokenizer or the tokenizer has no such id.
pub(crate) fn label(model: &HookedTransformer, id: u32) -> String {
    model.to_single_str_token(id).unwrap_or_else(|_| id.to_string())
}

/// Whether the architecture has a row of the site table.
pub(crate) fn has(model: &HookedTransformer, site: &str) -> bool {
    conformance::has(model.config(), site)
}

/// A matrix as rows of numbers.
pub(crate) fn rows(matrix: Tensor<2>) -> Result<Vec<Vec<f32>>> {
    let [_, columns] = matrix.dims();
    Ok(device::read(matrix)?.chunks(columns.max(1)).map(<[f32]>::to_vec).collect())
}

/// One number out of a tensor of one.
pub(crate) fn number(tensor: Tensor<1>) -> Result<f32> {
    Ok(device::read(tensor)?[0])
}

/// The indices of the `k` largest, largest first; ties go to the first, NaN last.
pub(crate) fn largest(values: &[f32], k: usize) -> Vec<usize> {
    let key = |index: &usize| {
        if values[*index].is_nan() { f32::NEG_INFINITY } else { values[*index] }
    };
    let order = |a: &usize, b: &usize| key(b).total_cmp(&key(a)).then(a.cmp(b));
    let mut indices: Vec<usize> = (0..values.len()).collect();
    if k < indices.len() {
        indices.select_nth_unstable_by(k, order);
        indices.truncate(k);
    }
    indices.sort_by(order);
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_ties_by_index() {
        assert_eq!(largest(&[1.0, 3.0, f32::NAN, 3.0, 2.0], 3), [1, 3, 4]);
        assert_eq!(largest(&[0.0, -0.0, 5.0], 9), [2, 0, 1]);
    }
}
