//! Named edits that a record can keep: what is done, and to which rows, positions, heads and features.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fitting::{fitted, fitting, last_axis};
use super::knock_out::{key_slots, knocked_out};
use super::resample::{self, resampled};
use super::selection::{Selection, slots_without_rows};
use crate::error::{Error, Result};
use crate::hooks::edit::edit::Edit;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::axes::Axes;
use crate::hooks::tensor::mean::mean_over_positions;
use crate::hooks::tensor::rows::Rows;

/// What is done to the selected numbers.
#[allow(clippy::large_enum_variant, reason = "one an edit, never moved about")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Set to zero.
    Zero,
    /// Set to one value.
    Set {
        /// The value.
        #[serde(with = "crate::hooks::tensor::numbers::one")]
        value: f32,
    },
    /// Multiplied.
    Scale {
        /// By this.
        factor: f32,
    },
    /// Replaced by the mean over positions of the same row, padding left out.
    MeanOverPositions,
    /// Replaced by the same numbers of another tensor: from another run (patching), a mean over data
    /// (mean ablation), or a frozen pattern or scale. An axis of length one serves the whole axis.
    Patch {
        /// The tensor.
        value: Activation,
    },
    /// Replaced by the same of another row of the batch: `from[row]`, for every row of it.
    Resample {
        /// Rows.
        from: Vec<usize>,
    },
    /// A vector added along the last axis, `coefficient` times.
    Add {
        /// The vector, as long as the last axis.
        vector: Vec<f32>,
        /// How much of it.
        coefficient: f32,
    },
    /// The component along a direction removed from the last axis.
    ProjectOut {
        /// The direction, as long as the last axis; its length does not matter.
        direction: Vec<f32>,
    },
    /// Attention from the selected queries to these keys masked: at `attn.scores`, where they become -inf. A query
    /// that sees no key any more attends to nothing.
    KnockOut {
        /// Positions of the keys, counted as [`Intervention::positions`] are.
        keys: Vec<isize>,
    },
}

/// An action on a selection. Empty selections mean all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intervention {
    /// What is done.
    pub action: Action,
    /// Batch rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<usize>>,
    /// Positions among a row's own tokens, padding not counted; negative ones count from the end of the prompt.
    /// For `scores` and `pattern`, of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Vec<isize>>,
    /// Token ids: positions that hold one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<u32>>,
    /// Heads, at sites that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// Entries of the last axis: neurons, directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<usize>>,
}

impl Intervention {
    /// An action on everything at the site.
    pub fn new(action: Action) -> Self {
        Self { action, rows: None, positions: None, tokens: None, heads: None, features: None }
    }

    /// Sets to zero.
    pub fn zero() -> Self {
        Self::new(Action::Zero)
    }

    /// Multiplies.
    pub fn scale(factor: f32) -> Self {
        Self::new(Action::Scale { factor })
    }

    /// Replaces by the same numbers of another tensor.
    pub fn patch(value: &Activation) -> Self {
        Self::new(Action::Patch { value: value.detached() })
    }

    /// Replaces row by row by those of other rows: resample ablation, where `from` is a draw.
    pub fn resample(from: impl IntoIterator<Item = usize>) -> Self {
        Self::new(Action::Resample { from: from.into_iter().collect() })
    }

    /// Adds a vector along the last axis.
    pub fn add(vector: Vec<f32>, coefficient: f32) -> Self {
        Self::new(Action::Add { vector, coefficient })
    }

    /// Only these batch rows.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.rows = Some(rows.into_iter().collect());
        self
    }

    /// Only these positions of each row, as [`Intervention::positions`] says.
    #[must_use]
    pub fn positions(mut self, positions: impl IntoIterator<Item = isize>) -> Self {
        self.positions = Some(positions.into_iter().collect());
        self
    }

    /// Only positions that hold one of these tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: impl IntoIterator<Item = u32>) -> Self {
        self.tokens = Some(tokens.into_iter().collect());
        self
    }

    /// Only this head.
    #[must_use]
    pub fn head(self, head: usize) -> Self {
        self.heads([head])
    }

    /// Only these heads.
    #[must_use]
    pub fn heads(mut self, heads: impl IntoIterator<Item = usize>) -> Self {
        self.heads = Some(heads.into_iter().collect());
        self
    }

    /// Only these entries of the last axis.
    #[must_use]
    pub fn features(mut self, features: impl IntoIterator<Item = usize>) -> Self {
        self.features = Some(features.into_iter().collect());
        self
    }

    /// As an edit of a run.
    pub fn edit(self) -> Edit {
        let name = match &self.action {
            Action::Zero => "zero",
            Action::Set { .. } => "set",
            Action::Scale { .. } => "scale",
            Action::MeanOverPositions => "mean over positions",
            Action::Patch { .. } => "patch",
            Action::Resample { .. } => "resample",
            Action::Add { .. } => "add",
            Action::ProjectOut { .. } => "project out",
            Action::KnockOut { .. } => "knock out",
        };
        let itself = Arc::new(self);
        let asked = Arc::clone(&itself);
        Edit::any(name, move |value, at| itself.apply(&value, at)).checked_by(move |dims, at| asked.check(dims, at))
    }

    /// Whether the action and the selection fit a tensor of these dims.
    ///
    /// # Errors
    ///
    /// Those of [`Intervention::apply`].
    pub fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.selection(dims, &Axes::of(at.site, dims), at)?;
        let width = dims.last().copied().unwrap_or(0);
        match &self.action {
            Action::Add { vector: row, .. } | Action::ProjectOut { direction: row } if row.len() != width => {
                Err(Error::EditShape { site: at.site.to_owned(), expected: vec![width], actual: vec![row.len()] })
            }
            Action::ProjectOut { direction } => directed(direction, at),
            Action::KnockOut { keys } => key_slots(keys, dims, at).map(drop),
            Action::Patch { value } => fitting(value.dims(), dims, at),
            Action::Resample { from } => resample::check(from, dims, at),
            Action::MeanOverPositions if dims.len() <= Axes::of(at.site, dims).position => {
                Err(Error::no_axis(at.site, "position", dims))
            }
            _ => Ok(()),
        }
    }

    /// The tensor with the action done to the selection.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a selection outside the tensor, [`Error::EditShape`] for a value that does not fit.
    pub fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        self.check(value.dims(), at)?;
        let axes = Axes::of(at.site, value.dims());
        let changed = self.changed(value, &axes, at)?;
        let Some(mask) = self.selection(value.dims(), &axes, at)?.mask(value.device()) else {
            return Ok(changed);
        };
        let (flat, changed) = (value.to_flat()?, changed.to_flat()?);
        Activation::shaped(flat.mask_where(mask, changed), value.dims())
    }

    fn changed(&self, value: &Activation, axes: &Axes, at: &At<'_>) -> Result<Activation> {
        let dims = value.dims();
        match &self.action {
            Action::Zero => value.map_flat(|x| x.zeros_like()),
            Action::Set { value: to } => value.map_flat(|x| x.full_like(*to)),
            Action::Scale { factor } => value.map_flat(|x| x * *factor),
            Action::KnockOut { keys } => knocked_out(value, keys, at),
            Action::Resample { from } => resampled(value, from, at),
            Action::Patch { value: patch } => fitted(&patch.to_device(value.device())?, dims, at),
            Action::MeanOverPositions => {
                let (outer, pos, inner) = axes.around_position(dims);
                let mean = mean_over_positions(value, axes, at)?.expand([outer, pos, inner]);
                Activation::shaped(mean.reshape([outer * pos * inner]), dims)
            }
            Action::Add { vector, coefficient } => {
                let row = last_axis(vector, dims, at, value.device())?;
                value.map_last(|x| x + row * *coefficient)
            }
            Action::ProjectOut { direction } => {
                let row = last_axis(direction, dims, at, value.device())?;
                let unit = row.clone() / (row.clone() * row).sum_dim(1).sqrt();
                value.map_last(|x| x.clone() - (x * unit.clone()).sum_dim(1) * unit)
            }
        }
    }

    /// What is selected of a tensor of these dims.
    fn selection<'a>(&self, dims: &'a [usize], axes: &Axes, at: &At<'a>) -> Result<Selection<'a>> {
        let mut selection = Selection::all(dims, at);
        let rows = at.rows_of(dims);
        if let Some(wanted) = &self.rows {
            selection.only(Some(0), "row", wanted, rows.map_or((0, dims[0]), Rows::batch))?;
        }
        if let Some(heads) = &self.heads {
            let length = axes.head.and_then(|axis| dims.get(axis)).copied().unwrap_or(0);
            selection.only(axes.head, "head", heads, (0, length))?;
        }
        if let Some(features) = &self.features {
            selection.only(Some(dims.len() - 1), "feature", features, (0, dims[dims.len() - 1]))?;
        }
        if let Some(positions) = &self.positions {
            let slots = match rows {
                Some(rows) => rows.at(positions)?,
                None => slots_without_rows(positions, dims, axes.position)?,
            };
            selection.only_slots(axes.position, slots);
        }
        if let Some(tokens) = &self.tokens {
            let rows = rows.ok_or_else(|| Error::no_tokens(at.site, dims))?;
            selection.only_slots(axes.position, rows.holding(tokens));
        }
        Ok(selection)
    }
}

/// A direction must point somewhere.
fn directed(direction: &[f32], at: &At<'_>) -> Result<()> {
    let refused = |action, problem: String| Err(Error::Intervention { action, site: at.site.to_owned(), problem });
    if let Some(entry) = direction.iter().find(|x| !x.is_finite()) {
        return refused("project a direction out of", format!("one of its entries is {entry}"));
    }
    if direction.iter().all(|x| *x == 0.0) {
        return refused("project a zero vector out of", "every entry is 0".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn four() -> Activation {
        Activation::from_vec((0..8).map(|x| x as f32).collect(), &[1, 2, 2, 2], &Device::flex()).unwrap()
    }

    fn run(intervention: &Intervention) -> Result<Vec<f32>> {
        intervention.apply(&four(), &At { site: "blocks.0.attn.z", offset: 0, rows: None })?.to_vec()
    }

    #[test]
    fn one_head_at_the_last_position() {
        let out = run(&Intervention::zero().head(1).positions([-1])).unwrap();
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0]);
    }

    #[test]
    fn projecting_out_leaves_nothing_along_the_direction() {
        let out = run(&Intervention::new(Action::ProjectOut { direction: vec![0.0, 3.0] })).unwrap();
        assert_eq!(out, [0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn the_mean_over_positions() {
        let out = run(&Intervention::new(Action::MeanOverPositions).head(0)).unwrap();
        assert_eq!(out, [2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 6.0, 7.0]);
    }

    #[test]
    fn a_head_there_is_not() {
        let error = run(&Intervention::zero().head(2)).unwrap_err();
        assert_eq!(error.to_string(), "head 2 is out of range: there are 2, numbered from 0");
    }

    #[test]
    fn a_record_keeps_it() {
        let masked = vec![f32::NEG_INFINITY, f32::INFINITY, 0.1, -0.0, 1e-40, f32::MAX, 2.0, 3.0];
        let masked = Activation::from_vec(masked, &[1, 2, 2, 2], &Device::flex()).unwrap();
        let set = Intervention::new(Action::Set { value: f32::NEG_INFINITY }).head(0);
        for intervention in [Intervention::patch(&four()).head(1), Intervention::patch(&masked), set] {
            let text = serde_json::to_string(&intervention).unwrap();
            let back: Intervention = serde_json::from_str(&text).unwrap();
            let bits = |of: &Intervention| run(of).unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&back), bits(&intervention), "{text}");
        }
        let error = serde_json::from_str::<Action>(r#"{"do": "set", "value": "much"}"#).unwrap_err().to_string();
        assert!(error.starts_with("`much` is not a number"), "{error}");
    }

    #[test]
    fn a_direction_must_point_somewhere() {
        let said = |direction| run(&Intervention::new(Action::ProjectOut { direction })).unwrap_err().to_string();
        let zero = said(vec![0.0, 0.0]);
        assert!(zero.starts_with("cannot project a zero vector out of `"), "{zero}");
        assert!(zero.ends_with("`: every entry is 0"), "{zero}");
        let nan = said(vec![f32::NAN, 1.0]);
        assert!(nan.starts_with("cannot project a direction out of `"), "{nan}");
        assert!(nan.ends_with("`: one of its entries is NaN"), "{nan}");
    }

    #[test]
    fn a_tensor_without_positions_has_no_mean_over_them() {
        let vector = Activation::from_vec(vec![1.0, 2.0], &[2], &Device::flex()).unwrap();
        for site in ["hidden", "my.scores"] {
            let at = At { site, offset: 0, rows: None };
            let error = Intervention::new(Action::MeanOverPositions).apply(&vector, &at).unwrap_err().to_string();
            assert_eq!(error, format!("`{site}` has no position axis: its shape is [2]"));
        }
    }
}
