//! What the tools share: checks of arguments, labels, and reading numbers from tensors.

use arrakis_models::{Error as ModelError, HookedTransformer, IntoTokens, Tokens, device, site};
use burn::tensor::Tensor;
use sha2::{Digest as _, Sha256};

use super::place::TokenAt;
use crate::error::{Error, Result};

/// Tokens (rows × positions) that one forward of a tool may hold, as in a sweep.
const TOKENS: usize = 2048;

/// How many copies of this many tokens one forward holds: at least one.
pub(crate) fn copies(tokens: usize) -> usize {
    (TOKENS / tokens).max(1)
}

/// Fails with the valid range unless `asked < length`.
pub(crate) fn within(what: &'static str, asked: usize, length: usize) -> Result<()> {
    if asked < length { Ok(()) } else { Err(ModelError::out_of_range(what, asked, length).into()) }
}

/// Resolves an index that counts from the end if it is negative; fails with the valid range.
pub(crate) fn index(what: &'static str, asked: isize, length: usize) -> Result<usize> {
    let index = if asked < 0 { asked.saturating_add_unsigned(length) } else { asked };
    match usize::try_from(index) {
        Ok(index) if index < length => Ok(index),
        _ => Err(ModelError::out_of_range(what, asked, length).into()),
    }
}

/// Checks that a token id is in a model's vocabulary.
pub(crate) fn check_token(model: &HookedTransformer, token: u32) -> Result<()> {
    within("token", token as usize, model.config().d_vocab)
}

/// An id of each prompt, by its tokens without padding: `[prompt]`.
pub(crate) fn prompt_ids(prompts: &Tokens) -> Vec<String> {
    let id = |(ids, real): (&Vec<u32>, &Vec<bool>)| {
        let own = ids.iter().zip(real).filter(|(_, real)| **real).flat_map(|(id, _)| id.to_le_bytes());
        let digest = Sha256::digest(own.collect::<Vec<u8>>());
        format!("{digest:x}")[..16].to_owned()
    };
    prompts.ids().iter().zip(prompts.real()).map(id).collect()
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

/// The prompts in parts that one forward holds, padding included.
pub(crate) fn parts(tokens: &Tokens) -> Result<Vec<Tokens>> {
    let rows = copies(tokens.pos());
    let cut = |from: usize| {
        let range = from..(from + rows).min(tokens.batch());
        let own =
            Tokens::new(tokens.ids()[range.clone()].to_vec())?.with_mask(tokens.real()[range.clone()].to_vec())?;
        let own = own.with_positions(tokens.positions()[range.clone()].to_vec())?;
        Ok(own.with_types(tokens.types()[range].to_vec())?)
    };
    (0..tokens.batch()).step_by(rows).map(cut).collect()
}

/// Prompts of one length, as a mean by position needs.
pub(crate) fn aligned(tool: &'static str, model: &HookedTransformer, prompts: impl IntoTokens) -> Result<Tokens> {
    let tokens = prompts.into_tokens(model)?;
    if tokens.real().iter().flatten().all(|real| *real) {
        return Ok(tokens);
    }
    let problem = "a mean by position needs prompts of one length, and these are padded; call it once for each length";
    Err(Error::Tool { tool, problem: problem.into() })
}

/// Each position of the first row and its token's text, or the id if the model has no tokenizer.
pub(crate) fn positions(model: &HookedTransformer, tokens: &Tokens) -> Vec<TokenAt> {
    let ids = tokens.ids()[0].iter().enumerate();
    ids.map(|(position, id)| TokenAt { position, id: *id, token: label(model, *id) }).collect()
}

/// A token's text, or its id if the model has no tokenizer or the tokenizer has no such id.
pub(crate) fn label(model: &HookedTransformer, id: u32) -> String {
    model.to_single_str_token(id).unwrap_or_else(|_| id.to_string())
}

/// Whether the architecture has a site in its blocks.
pub(crate) fn has(model: &HookedTransformer, at: fn(usize) -> site::Site) -> bool {
    (site::row(at).present)(model.config())
}

/// All numbers of a tensor, row-major.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>> {
    Ok(device::read(tensor)?.into_iter().map(f64::from).collect())
}

/// A matrix as rows of numbers, `[row][column]`.
pub(crate) fn rows(matrix: Tensor<2>) -> Result<Vec<Vec<f64>>> {
    let [_, columns] = matrix.dims();
    Ok(numbers(matrix)?.chunks(columns.max(1)).map(<[f64]>::to_vec).collect())
}

/// The number of a tensor of one element.
pub(crate) fn number(tensor: Tensor<1>) -> Result<f64> {
    Ok(f64::from(device::read(tensor)?[0]))
}

/// The indices of the `k` largest of finite numbers, largest first; ties go to the first.
pub(crate) fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let order = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
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
        assert_eq!(largest(&[1.0, 3.0, -1.0, 3.0, 2.0], 3), [1, 3, 4]);
        assert_eq!(largest(&[0.0, 0.5, 5.0], 9), [2, 1, 0]);
    }

    #[test]
    fn an_index_counts_from_either_end() {
        assert_eq!((index("layer", -1, 3).unwrap(), index("layer", 0, 3).unwrap()), (2, 0));
        assert!(index("layer", 3, 3).is_err() && index("layer", -4, 3).is_err());
        assert!(index("layer", isize::MIN, 3).is_err() && index("layer", 0, 0).is_err());
    }
}
