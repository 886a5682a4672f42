//! The mean over the tokens of each row.

use burn::tensor::{Tensor, TensorData};

use super::activation::Activation;
use super::at::At;
use crate::error::Result;
use crate::site::Axes;

/// `[before, 1, after]` around the position axis: the mean over each row's tokens, excluding padding.
pub(in crate::hooks) fn mean_over_positions(value: &Activation, axes: &Axes, at: &At<'_>) -> Result<Tensor<3>> {
    let (outer, pos, inner) = axes.around_position(value.dims());
    let tensor = value.to_flat()?.reshape([outer, pos, inner]);
    let Some(rows) = at.rows_of(value.dims()).filter(|rows| !rows.is_full()) else {
        return Ok(tensor.mean_dim(1));
    };
    let weights = rows.real().into_iter().flat_map(|row| {
        let count = row.iter().filter(|real| **real).count().max(1) as f32;
        let row: Vec<f32> = row.iter().map(|real| f32::from(u8::from(*real)) / count).collect();
        std::iter::repeat_n(row, outer / rows.len()).flatten()
    });
    let weights = Tensor::from_data(TensorData::new(weights.collect::<Vec<f32>>(), [outer, pos, 1]), value.device());
    // Padding may hold anything, such as infinities of masked scores. It is cut out, because multiplying it by zero
    // gives NaN.
    let hidden = weights.clone().equal_elem(0.0).expand([outer, pos, inner]);
    Ok((tensor.mask_fill(hidden, 0.0) * weights).sum_dim(1))
}
