//! Which numbers of a tensor an intervention selects: rows, positions, tokens, heads, features.

use burn::tensor::{Bool, Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::slice::Slice;

/// The selection within a tensor of known dims: flags along single axes, and over rows and positions together.
pub(in crate::hooks) struct Selection<'a> {
    dims: &'a [usize],
    site: &'a str,
    along: Vec<Option<Vec<bool>>>,
    slots: Option<(usize, Vec<Vec<bool>>)>,
}

impl<'a> Selection<'a> {
    pub(in crate::hooks) fn all(dims: &'a [usize], at: &At<'a>) -> Self {
        Self { dims, site: at.site, along: vec![None; dims.len()], slots: None }
    }

    /// Selects only these indices of an axis. The pair gives the place of this tensor's first index and the axis's
    /// whole length, which differ from 0 and the dim where the tensor is a part. Errors if the site has no such axis.
    pub(in crate::hooks) fn only(
        &mut self,
        axis: Option<usize>,
        what: &'static str,
        wanted: &[usize],
        (first, of): (usize, usize),
    ) -> Result<()> {
        let axis =
            axis.filter(|axis| *axis < self.dims.len()).ok_or_else(|| Error::no_axis(self.site, what, self.dims))?;
        if let Some(far) = wanted.iter().find(|index| **index >= of) {
            return Err(Error::out_of_range(what, *far, of));
        }
        self.along[axis] = Some((first..first + self.dims[axis]).map(|index| wanted.contains(&index)).collect());
        Ok(())
    }

    /// Selects only these slots, `[row][slot]` along the batch axis and the position axis.
    pub(in crate::hooks) fn only_slots(&mut self, axis: usize, slots: Vec<Vec<bool>>) {
        let both = match self.slots.take() {
            None => slots,
            Some((_, earlier)) => {
                earlier.iter().zip(&slots).map(|(a, b)| a.iter().zip(b).map(|(a, b)| *a && *b).collect()).collect()
            }
        };
        self.slots = Some((axis, both));
    }

    /// True where every selection selects, as one axis in row-major order; `None` when the whole tensor is selected.
    ///
    /// It is built over the axes that select and expanded over the others on the device.
    pub(in crate::hooks) fn mask(&self, device: &Device) -> Option<Tensor<1, Bool>> {
        if self.slots.is_none() && self.along.iter().all(Option::is_none) {
            return None;
        }
        let (mut small, mut whole) = ([1; 6], [1; 6]);
        for (axis, length) in self.dims.iter().enumerate() {
            let by_slot = self.slots.as_ref().is_some_and(|(position, _)| axis == 0 || axis == *position);
            whole[axis] = *length;
            small[axis] = if by_slot || self.along[axis].is_some() { *length } else { 1 };
        }
        let flags: Vec<bool> = (0..small.iter().product()).map(|flat| self.selects(unravel(flat, small))).collect();
        let mask: Tensor<6, Bool> = Tensor::from_data(TensorData::new(flags, small), device);
        Some(mask.expand(whole).reshape([whole.iter().product::<usize>()]))
    }

    fn selects(&self, index: [usize; 6]) -> bool {
        let along = self.along.iter().zip(index).all(|(flags, at)| flags.as_ref().is_none_or(|flags| flags[at]));
        along && self.slots.as_ref().is_none_or(|(position, slots)| slots[index[0]][index[*position]])
    }
}

/// The slots of positions where the tokens are unknown: a position is then an index of the axis.
pub(in crate::hooks) fn slots_without_rows(positions: &[isize], dims: &[usize], axis: usize) -> Result<Vec<Vec<bool>>> {
    let length = dims.get(axis).copied().unwrap_or(0);
    let wanted = Slice::absolute(positions, "position", length)?;
    Ok(vec![(0..length).map(|slot| wanted.contains(&slot)).collect(); dims[0]])
}

fn unravel(mut flat: usize, dims: [usize; 6]) -> [usize; 6] {
    let mut index = [0; 6];
    for axis in (0..6).rev() {
        index[axis] = flat % dims[axis];
        flat /= dims[axis];
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_expanded_over_axes_without_a_selection() {
        let at = At::new("blocks.0.attn.z");
        let mut selection = Selection::all(&[2, 2, 2, 1], &at);
        assert!(selection.mask(&Device::flex()).is_none());
        selection.only_slots(1, vec![vec![true, false], vec![false, true]]);
        selection.only(Some(2), "head", &[1], (0, 2)).unwrap();
        let flags: Vec<bool> = selection.mask(&Device::flex()).unwrap().into_data().iter::<bool>().collect();
        assert_eq!(flags, [false, true, false, false, false, false, false, true]);
        let error = selection.only(None, "head", &[0], (0, 1)).unwrap_err().to_string();
        assert_eq!(error, "`blocks.0.attn.z` has no head axis: its shape is [2, 2, 2, 1]");
    }
}
