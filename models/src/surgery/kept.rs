//! What is left of weights after some of their rows or columns are gone.

use burn::module::Param;
use burn::tensor::{Bool, Int, Tensor, TensorData};

use crate::transformer::Linear;

/// The indices in `0..length` that are not in `gone`.
pub(super) fn rest(length: usize, gone: &[usize]) -> Vec<usize> {
    (0..length).filter(|index| !gone.contains(index)).collect()
}

/// The indices of whole groups of `width`: `[1]` of width 3 is `3..6`.
pub(super) fn spread(groups: &[usize], width: usize) -> Vec<usize> {
    groups.iter().flat_map(|group| group * width..(group + 1) * width).collect()
}

/// An affine map with only these outputs.
pub(super) fn outputs(linear: &Linear, kept: &[usize]) -> Linear {
    let weight = linear.weight.clone().map(|weight| select(weight, 1, kept));
    Linear { weight, bias: linear.bias.as_ref().map(|bias| vector(bias, kept)) }
}

/// An affine map with only these inputs.
pub(super) fn inputs(linear: &Linear, kept: &[usize]) -> Linear {
    Linear { weight: linear.weight.clone().map(|weight| select(weight, 0, kept)), bias: linear.bias.clone() }
}

/// A vector with only these entries.
pub(super) fn vector(param: &Param<Tensor<1>>, kept: &[usize]) -> Param<Tensor<1>> {
    param.clone().map(|vector| select(vector, 0, kept))
}

/// An affine map that ignores these inputs: their rows are zero.
pub(super) fn ignoring(linear: &Linear, gone: &[usize]) -> Linear {
    let weight = linear.weight.clone().map(|weight| {
        let [rows, outputs] = weight.dims();
        let hidden: Vec<bool> = (0..rows).map(|row| gone.contains(&row)).collect();
        let hidden = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [rows, 1]), &weight.device());
        weight.mask_fill(hidden.expand([rows, outputs]), 0.0)
    });
    Linear { weight, bias: linear.bias.clone() }
}

fn select<const D: usize>(tensor: Tensor<D>, axis: usize, kept: &[usize]) -> Tensor<D> {
    let ids: Vec<i64> = kept.iter().map(|index| *index as i64).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [kept.len()]), &tensor.device());
    tensor.select(axis, ids)
}
