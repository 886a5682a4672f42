//! What a run keeps of the sites that a pattern selects: whole tensors, some positions, or a reduction.

use burn::tensor::{Device, Tensor, TensorData};

use super::reduction::Reduction;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::SitePattern;
use crate::site::Site;

/// A capture of a plan. A name or a pattern alone keeps whole tensors on the device they are on.
///
/// ```
/// use arrakis_models::hooks::{Capture, Plan, Reduction};
/// let last_norms = Capture::of("*.resid_post").positions([-1]).reduced(Reduction::Norm);
/// let plan = Plan::new().capture(last_norms).capture("blocks.0.attn.pattern");
/// ```
#[derive(Clone, Debug)]
pub struct Capture {
    pub(in crate::hooks) sites: SitePattern,
    positions: Option<Vec<isize>>,
    reduction: Option<Reduction>,
    device: Option<Device>,
}

impl Capture {
    /// Whole tensors, on the device they are on.
    pub fn of(sites: impl Into<SitePattern>) -> Self {
        Self { sites: sites.into(), positions: None, reduction: None, device: None }
    }

    /// Keeps only these positions of each row, in this order; see [`crate::hooks::Intervention::positions`]. In
    /// generation each step keeps those of its positions that are selected.
    #[must_use]
    pub fn positions(mut self, positions: impl IntoIterator<Item = isize>) -> Self {
        self.positions = Some(positions.into_iter().collect());
        self
    }

    /// Keeps only a reduction, under `SITE#mean`, `#norm`, `#projection`, `#top_values` and `#top_indices`. It is taken
    /// over the chosen positions, if any are chosen.
    #[must_use]
    pub fn reduced(mut self, reduction: Reduction) -> Self {
        self.reduction = Some(reduction);
        self
    }

    /// Moves tensors to a device as they are captured.
    #[must_use]
    pub fn on(mut self, device: &Device) -> Self {
        self.device = Some(device.clone());
        self
    }

    /// The sites it captures.
    pub fn sites(&self) -> &SitePattern {
        &self.sites
    }

    /// Whether whole tensors are kept on their device, as handles.
    pub(crate) fn is_whole(&self) -> bool {
        self.positions.is_none() && self.reduction.is_none() && self.device.is_none()
    }

    /// The parts of a tensor that are kept, each with its name.
    pub(in crate::hooks) fn take(&self, value: &Activation, at: &At<'_>) -> Result<Vec<(String, Activation)>> {
        let mut value = value.clone();
        if let Some(positions) = &self.positions {
            let here = at.rows_of(value.dims()).map_or_else(|| Ok(positions.clone()), |rows| rows.here(positions))?;
            if here.is_empty() {
                return Ok(Vec::new());
            }
            value = picked(&value, &here, at)?;
        }
        // The tokens say where padding is. Picked positions are all real tokens.
        let at = At { rows: at.rows.filter(|_| self.positions.is_none()), ..*at };
        let kept = match &self.reduction {
            None => vec![(at.site.to_owned(), value)],
            Some(reduction) => {
                let named = |(how, value)| (format!("{}#{how}", at.site), value);
                reduction.apply(&value, &at)?.into_iter().map(named).collect()
            }
        };
        let moved = |(name, value): (String, Activation)| match &self.device {
            Some(device) => Ok((name, value.to_device(device)?)),
            None => Ok((name, value)),
        };
        kept.into_iter().map(moved).collect()
    }

    /// Checks that it fits a tensor of these dims.
    pub(in crate::hooks) fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        if let (Some(positions), Some(rows)) = (&self.positions, at.rows_of(dims)) {
            rows.at(positions)?;
        }
        self.reduction.as_ref().map_or(Ok(()), |reduction| reduction.check(dims, at))
    }

    /// How many numbers of a tensor of these dims are kept.
    pub(crate) fn numbers(&self, dims: &[usize], at: &At<'_>) -> usize {
        let mut dims = dims.to_vec();
        let axis = at.axes(&dims).position;
        if let (Some(positions), Some(length)) = (&self.positions, dims.get_mut(axis)) {
            *length = positions.len();
        }
        match &self.reduction {
            Some(reduction) => reduction.numbers(&dims, at),
            None => dims.iter().product(),
        }
    }
}

/// Some positions of each row along the position axis.
fn picked(value: &Activation, positions: &[isize], at: &At<'_>) -> Result<Activation> {
    let dims = value.dims();
    let rows = at.rows_of(dims).ok_or_else(|| Error::no_tokens(at.site, dims))?;
    let slots = rows.slots(positions)?;
    let axes = at.axes(dims);
    let (outer, pos, inner) = axes.around_position(dims);
    let per_row = outer / dims[0];
    let index = |part: usize| slots[part / per_row].iter().map(move |slot| (part * pos + slot) as i64);
    let index: Vec<i64> = (0..outer).flat_map(index).collect();
    let count = index.len();
    let index = Tensor::from_data(TensorData::new(index, [count]), value.device());
    let rows = value.to_flat()?.reshape([outer * pos, inner]).select(0, index);
    let mut dims = dims.to_vec();
    dims[axes.position] = positions.len();
    Activation::shaped(rows.reshape([count * inner]), &dims)
}

impl From<SitePattern> for Capture {
    fn from(sites: SitePattern) -> Self {
        Self::of(sites)
    }
}

macro_rules! whole_tensors {
    ($($name:ty),*) => {
        $(impl From<$name> for Capture {
            fn from(sites: $name) -> Self {
                Self::of(sites)
            }
        })*
    };
}

whole_tensors!(&str, String, &String, Site);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::tensor::rows::Rows;
    use crate::tokens::{Side, Tokens};

    #[test]
    fn the_last_token_of_each_row_is_kept_under_either_padding() {
        let rows = Rows::new(&Tokens::padded(&[vec![1, 2, 3], vec![4]], Side::Right, 0).unwrap(), &[]);
        let value = Activation::from_vec((0..6).map(|x| x as f32).collect(), &[2, 3, 1], &Device::flex()).unwrap();
        let at = At { rows: Some(&rows), ..At::new("blocks.0.resid_pre") };
        let kept = Capture::of("x").positions([-1, 0]).take(&value, &at).unwrap();
        assert_eq!((kept[0].0.as_str(), kept[0].1.dims()), ("blocks.0.resid_pre", &[2, 2, 1][..]));
        assert_eq!(kept[0].1.to_vec().unwrap(), [2.0, 0.0, 3.0, 3.0]);
        let pattern: Vec<f32> = (0..18).map(|x| x as f32).collect();
        let pattern = Activation::from_vec(pattern, &[2, 1, 3, 3], &Device::flex()).unwrap();
        let at = At { site: "blocks.0.attn.pattern", ..at };
        let kept = Capture::of("x").positions([0]).take(&pattern, &at).unwrap();
        assert_eq!(kept[0].1.dims(), [2, 1, 1, 3]);
        assert_eq!(kept[0].1.to_vec().unwrap(), [0.0, 1.0, 2.0, 9.0, 10.0, 11.0]);
    }

    #[test]
    fn positions_need_a_run_on_tokens() {
        let value = Activation::from_vec(vec![1.0; 6], &[2, 3, 1], &Device::flex()).unwrap();
        let at = At::new("blocks.0.resid_pre");
        let error = Capture::of("x").positions([-1]).take(&value, &at).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`blocks.0.resid_pre` of shape [2, 3, 1] does not belong to a model that runs on tokens: nothing says which \
             tokens its positions hold"
        );
    }

    #[test]
    fn the_count_of_numbers_equals_what_is_kept() {
        let rows = Rows::new(&Tokens::new(vec![vec![1, 2, 3]]).unwrap(), &[]);
        let value = Activation::from_vec(vec![1.0; 12], &[1, 3, 4], &Device::flex()).unwrap();
        let at = At { rows: Some(&rows), ..At::new("blocks.0.resid_pre") };
        for capture in [
            Capture::of("x"),
            Capture::of("x").positions([-1]),
            Capture::of("x").reduced(Reduction::Norm),
            Capture::of("x").positions([0, 1]).reduced(Reduction::Mean),
            Capture::of("x").reduced(Reduction::TopK(2)),
            Capture::of("x").reduced(Reduction::Project(vec![vec![0.0; 4]; 3])),
        ] {
            let kept: usize =
                capture.take(&value, &at).unwrap().iter().map(|(_, kept)| kept.dims().iter().product::<usize>()).sum();
            assert_eq!(capture.numbers(value.dims(), &at), kept, "{capture:?}");
        }
    }
}
