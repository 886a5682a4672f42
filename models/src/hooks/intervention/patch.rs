//! Replaces numbers with those of another tensor.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;

/// Replaces numbers with those of another tensor: from another run (patching), a mean over data (mean ablation), or a
/// frozen pattern or scale. An axis of length one is repeated along the site's axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The tensor, with the axes of the site.
    pub value: Activation,
}

impl Patch {
    pub(super) fn new(value: &Activation) -> Self {
        Self { value: value.detached() }
    }
}

impl Act for Patch {
    const NAME: &'static str = "patch";

    /// Each axis of a patch has the site's length or length one, or the batch axis has the length of the whole batch.
    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        fitting(self.value.dims(), dims, at)
    }

    /// An axis of length one is repeated, and a micro-batch takes its own rows.
    fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        let (patch, dims) = (self.value.to_device(value.device())?, value.dims());
        let (first, total) = at.rows_of(dims).map_or((0, dims[0]), Rows::batch);
        let own_rows = patch.dims()[0] == total && total > dims[0];
        let patch = if own_rows { patch.narrow(0, first, dims[0])? } else { patch };
        fitting(patch.dims(), dims, at)?;
        if patch.dims() == dims {
            return Ok(patch);
        }
        let (mut small, mut whole) = ([1; 6], [1; 6]);
        small[..dims.len()].copy_from_slice(patch.dims());
        whole[..dims.len()].copy_from_slice(dims);
        let spread: Tensor<6> = patch.to_flat()?.reshape(small).expand(whole);
        Activation::shaped(spread.reshape([dims.iter().product::<usize>()]), dims)
    }
}

fn fitting(patch: &[usize], dims: &[usize], at: &At<'_>) -> Result<()> {
    let total = at.rows_of(dims).map_or(dims[0], |rows| rows.batch().1);
    let fits = |(axis, (a, b)): (usize, (&usize, &usize))| a == b || *a == 1 || (axis == 0 && *a == total);
    if patch.len() == dims.len() && patch.iter().zip(dims).enumerate().all(fits) {
        return Ok(());
    }
    Err(Error::EditShape { site: at.site.to_owned(), expected: dims.to_vec(), actual: patch.to_vec() })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::Intervention;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn an_axis_of_one_is_repeated_along_the_whole_axis() {
        let means = Activation::from_vec(vec![8.0, 9.0], &[1, 1, 1, 2], &Device::flex()).unwrap();
        let out = run(&Intervention::patch(&means).head(1), &four()).unwrap();
        assert_eq!(out, [0.0, 1.0, 8.0, 9.0, 4.0, 5.0, 8.0, 9.0]);
    }

    #[test]
    fn a_patch_of_another_shape_is_refused() {
        let other = Activation::from_vec(vec![0.0; 6], &[1, 3, 2, 1], &Device::flex()).unwrap();
        let error = run(&Intervention::patch(&other), &four()).unwrap_err().to_string();
        assert_eq!(
            error,
            "the edit at `blocks.0.attn.z` returned a tensor of shape [1, 3, 2, 1], the site has [1, 2, 2, 2]"
        );
    }
}
