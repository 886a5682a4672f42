//! Masks attention from some queries to some keys.

use serde::{Deserialize, Serialize};

use super::action::Act;
use super::selection::{Selection, slots_without_rows};
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// Masks attention from the selected queries to these keys, at `attn.scores`, where the scores become -inf. A query
/// that no longer sees any key attends to nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnockOut {
    /// Positions of the keys among a row's own tokens, not counting padding. Negative ones count from the end of the
    /// prompt.
    pub keys: Vec<isize>,
}

impl KnockOut {
    pub(super) fn new(keys: impl IntoIterator<Item = isize>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// `[row][key]`: whether a key is knocked out.
    fn slots(&self, dims: &[usize], at: &At<'_>) -> Result<Vec<Vec<bool>>> {
        let Some(axis) = at.table.masked_axis(at.site, dims.len()) else {
            return Err(Error::Intervention {
                action: "knock out attention at",
                site: at.site.to_owned(),
                problem: "it does not hold attention scores; use `attn.scores`".into(),
            });
        };
        match at.rows_of(dims) {
            Some(rows) => rows.keys_at(&self.keys),
            None => slots_without_rows(&self.keys, dims, axis),
        }
    }
}

impl Act for KnockOut {
    const NAME: &'static str = "knock out";

    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.slots(dims, at).map(drop)
    }

    fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        let mut selection = Selection::all(value.dims(), at);
        selection.only_slots(value.dims().len() - 1, self.slots(value.dims(), at)?);
        let mask = selection.mask(value.device());
        value.map_flat(|x| match mask {
            Some(mask) => x.mask_fill(mask, f32::NEG_INFINITY),
            None => x,
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn the_last_query_no_longer_sees_the_first_key() {
        let scores = Activation::from_vec(vec![1.0, 2.0, 3.0, 4.0], &[1, 1, 2, 2], &Device::flex()).unwrap();
        let at = At::new("blocks.0.attn.scores");
        let out = Intervention::knock_out([0]).positions([-1]).apply(&scores, &at).unwrap().to_vec().unwrap();
        assert_eq!(out, [1.0, 2.0, f32::NEG_INFINITY, 4.0]);
    }

    #[test]
    fn knocking_out_attention_needs_a_site_of_scores() {
        let error = run(&Intervention::knock_out([0]), &four()).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot knock out attention at `blocks.0.attn.z`: it does not hold attention scores; use `attn.scores`"
        );
    }
}
