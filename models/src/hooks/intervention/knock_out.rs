//! Attention from some queries to some keys, masked.

use super::selection::{Selection, slots_without_rows};
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

pub(in crate::hooks) fn knocked_out(value: &Activation, keys: &[isize], at: &At<'_>) -> Result<Activation> {
    let mut selection = Selection::all(value.dims(), at);
    selection.only_slots(value.dims().len() - 1, key_slots(keys, value.dims(), at)?);
    let mask = selection.mask(value.device());
    value.map_flat(|x| match mask {
        Some(mask) => x.mask_fill(mask, f32::NEG_INFINITY),
        None => x,
    })
}

/// `[row][key]`: whether a key is knocked out.
pub(in crate::hooks) fn key_slots(keys: &[isize], dims: &[usize], at: &At<'_>) -> Result<Vec<Vec<bool>>> {
    if !at.site.ends_with("scores") || dims.len() != 4 {
        return Err(Error::Intervention {
            action: "knock out attention at",
            site: at.site.to_owned(),
            problem: "it does not hold attention scores; use `attn.scores`".into(),
        });
    }
    match at.rows_of(dims) {
        Some(rows) => rows.keys_at(keys),
        None => slots_without_rows(keys, dims, 3),
    }
}
