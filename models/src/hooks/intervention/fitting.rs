//! Values of an intervention in the shape of the site they are for.

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;

/// The patch in the shape of the site: an axis of one is spread, and a micro-batch takes its own rows.
pub(in crate::hooks) fn fitted(patch: &Activation, dims: &[usize], at: &At<'_>) -> Result<Activation> {
    let (first, total) = at.rows_of(dims).map_or((0, dims[0]), Rows::batch);
    let own_rows = patch.dims().len() == dims.len() && patch.dims()[0] == total && total > dims[0];
    let patch = if own_rows { patch.narrow(0, first, dims[0])? } else { patch.clone() };
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

/// Whether a patch has the axes of the site, or one for an axis, or the rows of the whole batch.
pub(in crate::hooks) fn fitting(patch: &[usize], dims: &[usize], at: &At<'_>) -> Result<()> {
    let total = at.rows_of(dims).map_or(dims[0], |rows| rows.batch().1);
    let fits = |(axis, (a, b)): (usize, (&usize, &usize))| a == b || *a == 1 || (axis == 0 && *a == total);
    if patch.len() == dims.len() && patch.iter().zip(dims).enumerate().all(fits) {
        return Ok(());
    }
    Err(Error::EditShape { site: at.site.to_owned(), expected: dims.to_vec(), actual: patch.to_vec() })
}

pub(in crate::hooks) fn last_axis(vector: &[f32], dims: &[usize], at: &At<'_>, device: &Device) -> Result<Tensor<2>> {
    let width = dims.last().copied().unwrap_or(0);
    if vector.len() != width {
        return Err(Error::EditShape { site: at.site.to_owned(), expected: vec![width], actual: vec![vector.len()] });
    }
    Ok(Tensor::from_data(TensorData::new(vector.to_vec(), [1, width]), device))
}
