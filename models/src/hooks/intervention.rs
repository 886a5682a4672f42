//! Named edits that a record can keep: what is done, and to which rows, positions, heads and features.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::edit::{At, Edit};
use crate::error::{Error, Result};

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
        value: f32,
    },
    /// Multiplied.
    Scale {
        /// By this.
        factor: f32,
    },
    /// Replaced by the mean over positions of the same row.
    MeanOverPositions,
    /// Replaced by the same numbers of another tensor: from another run (patching), a mean over data
    /// (mean ablation), or a frozen pattern or scale. A batch axis of one serves all rows.
    Patch {
        /// The tensor.
        value: Activation,
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
    /// Attention from the selected queries to these keys masked: at `attn.scores`, where they become -inf.
    KnockOut {
        /// Key positions.
        keys: Vec<usize>,
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
    /// Positions; negative ones count from the end. For `scores` and `pattern`, of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Vec<isize>>,
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
        Self { action, rows: None, positions: None, heads: None, features: None }
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

    /// Only these positions; negative ones count from the end.
    #[must_use]
    pub fn positions(mut self, positions: impl IntoIterator<Item = isize>) -> Self {
        self.positions = Some(positions.into_iter().collect());
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
            Action::Add { .. } => "add",
            Action::ProjectOut { .. } => "project out",
            Action::KnockOut { .. } => "knock out",
        };
        Edit::any(name, move |value, at| self.apply(&value, at))
    }

    /// The tensor with the action done to the selection.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a selection outside the tensor, [`Error::EditShape`] for a value that does not fit.
    pub fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        let axes = Axes::of(at.site, value.dims());
        let changed = self.changed(value, &axes, at)?;
        let chosen = self.chosen(value.dims(), &axes, at)?;
        let Some(mask) = mask(value.dims(), &chosen, value.device()) else {
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
            Action::Patch { value: patch } => fitted(&patch.to_device(value.device())?, dims, at),
            Action::MeanOverPositions => {
                let (outer, pos, inner) = axes.around_position(dims);
                let mean = value.to_flat()?.reshape([outer, pos, inner]).mean_dim(1).expand([outer, pos, inner]);
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

    /// Which indices of each axis are selected: `None` for all.
    fn chosen(&self, dims: &[usize], axes: &Axes, at: &At<'_>) -> Result<Vec<Option<Vec<bool>>>> {
        let mut chosen = vec![None; dims.len()];
        let mut select = |axis: Option<usize>, what: &'static str, wanted: &[usize]| -> Result<()> {
            let axis = axis.ok_or_else(|| Error::Absent {
                what: format!("a {what} axis"),
                why: format!("`{}` has the shape {dims:?}", at.site),
            })?;
            let mut flags = vec![false; dims[axis]];
            for index in wanted {
                *flags.get_mut(*index).ok_or(Error::OutOfRange { what, asked: *index, length: dims[axis] })? = true;
            }
            chosen[axis] = Some(flags);
            Ok(())
        };
        if let Some(rows) = &self.rows {
            select(Some(0), "row", rows)?;
        }
        if let Some(heads) = &self.heads {
            select(axes.head, "head", heads)?;
        }
        if let Some(features) = &self.features {
            select(Some(dims.len() - 1), "feature", features)?;
        }
        if let Some(positions) = &self.positions {
            let length = dims.get(axes.position).copied().unwrap_or(0);
            let absolute = positions.iter().map(|position| absolute(*position, length)).collect::<Result<Vec<_>>>()?;
            select(Some(axes.position), "position", &absolute)?;
        }
        Ok(chosen)
    }
}

fn knocked_out(value: &Activation, keys: &[usize], at: &At<'_>) -> Result<Activation> {
    if !at.site.ends_with("scores") {
        return Err(Error::Absent {
            what: "attention to knock out".into(),
            why: format!("`{}` holds none: edit `attn.scores`", at.site),
        });
    }
    let mut only_keys = Intervention::new(Action::Set { value: f32::NEG_INFINITY });
    only_keys.features = Some(keys.to_vec());
    only_keys.apply(value, at)
}

fn absolute(position: isize, length: usize) -> Result<usize> {
    let index = if position < 0 { position + length as isize } else { position };
    usize::try_from(index).ok().filter(|index| *index < length).ok_or(Error::OutOfRange {
        what: "position",
        asked: position.unsigned_abs(),
        length,
    })
}

/// Which axis of a site is which.
pub(crate) struct Axes {
    /// The (query) position.
    pub(crate) position: usize,
    /// The head, where there is one.
    pub(crate) head: Option<usize>,
}

impl Axes {
    /// By the site's name: `scores` and `pattern` are `[batch, head, query, key]`, all else `[batch, pos, ..]`.
    pub(crate) fn of(site: &str, dims: &[usize]) -> Self {
        if site.ends_with("scores") || site.ends_with("pattern") {
            return Self { position: 2, head: Some(1) };
        }
        Self { position: 1, head: (dims.len() == 4).then_some(2) }
    }

    /// Lengths before, at and after the position axis.
    pub(crate) fn around_position(&self, dims: &[usize]) -> (usize, usize, usize) {
        (dims[..self.position].iter().product(), dims[self.position], dims[self.position + 1..].iter().product())
    }
}

/// True where every axis selects; `None` when all of it is selected.
fn mask(dims: &[usize], chosen: &[Option<Vec<bool>>], device: &Device) -> Option<Tensor<1, Bool>> {
    if chosen.iter().all(Option::is_none) {
        return None;
    }
    let mut flags = vec![true];
    for (length, axis) in dims.iter().zip(chosen) {
        let along = axis.clone().unwrap_or_else(|| vec![true; *length]);
        flags = flags.iter().flat_map(|outer| along.iter().map(move |inner| *outer && *inner)).collect();
    }
    let len = flags.len();
    Some(Tensor::from_data(TensorData::new(flags, [len]), device))
}

/// The patch in the shape of the site; its batch axis may be one.
fn fitted(patch: &Activation, dims: &[usize], at: &At<'_>) -> Result<Activation> {
    if patch.dims() == dims {
        return Ok(patch.clone());
    }
    let one_row = patch.dims().len() == dims.len() && patch.dims()[0] == 1 && patch.dims()[1..] == dims[1..];
    if !one_row {
        return Err(Error::EditShape {
            site: at.site.to_owned(),
            expected: dims.to_vec(),
            actual: patch.dims().to_vec(),
        });
    }
    let inner: usize = dims[1..].iter().product();
    let repeated: Tensor<2> = patch.to_flat()?.reshape([1, inner]).expand([dims[0], inner]);
    Activation::shaped(repeated.reshape([dims[0] * inner]), dims)
}

fn last_axis(vector: &[f32], dims: &[usize], at: &At<'_>, device: &Device) -> Result<Tensor<2>> {
    let width = dims.last().copied().unwrap_or(0);
    if vector.len() != width {
        return Err(Error::EditShape { site: at.site.to_owned(), expected: vec![width], actual: vec![vector.len()] });
    }
    Ok(Tensor::from_data(TensorData::new(vector.to_vec(), [1, width]), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> Activation {
        Activation::from_vec((0..8).map(|x| x as f32).collect(), &[1, 2, 2, 2], &Device::flex()).unwrap()
    }

    fn run(intervention: &Intervention) -> Result<Vec<f32>> {
        intervention.apply(&four(), &At { site: "blocks.0.attn.z", offset: 0 })?.to_vec()
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
        let intervention = Intervention::patch(&four()).head(1);
        let text = serde_json::to_string(&intervention).unwrap();
        let back: Intervention = serde_json::from_str(&text).unwrap();
        assert_eq!(run(&back).unwrap(), run(&intervention).unwrap());
    }
}
