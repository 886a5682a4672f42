//! Which numbers of each row are the largest.

use burn::tensor::{Device, IndexingUpdateOp, Tensor, TensorData, activation};
use rayon::prelude::*;

use crate::kernels::{Active, active};

/// `ReLU(x)`.
pub(super) fn positive(x: Tensor<2>) -> Tensor<2> {
    active(Active::Positive, x).unwrap_or_else(activation::relu)
}

/// The `k` largest of each row, made positive.
pub(super) fn largest_of_row(x: Tensor<2>, k: usize) -> Tensor<2> {
    active(Active::OfRow(k), x).unwrap_or_else(|x| activation::relu(x.clone()) * top_mask(x, k))
}

/// The `k` largest of all rows together, made positive.
pub(super) fn largest_of_all(x: Tensor<2>, k: usize) -> Tensor<2> {
    active(Active::OfAll(k), x).unwrap_or_else(|x| {
        let dims = x.dims();
        let mask = top_mask(x.clone().reshape([1, dims[0] * dims[1]]), k).reshape(dims);
        activation::relu(x) * mask
    })
}

/// 1 at the `k` largest of each row, 0 elsewhere: `[rows, n]`, a constant. Of equal numbers the first count. On the CPU
/// each row is partitioned, which takes time linear in `n`.
pub(super) fn top_mask(values: Tensor<2>, k: usize) -> Tensor<2> {
    let values = values.detach();
    let [rows, n] = values.dims();
    let device = values.device();
    if k >= n {
        return Tensor::ones([rows, n], &device);
    }
    if device.clone().inner() != Device::flex() {
        return on_device(&values, k);
    }
    let numbers = values.into_data().convert::<f32>();
    let numbers = numbers.as_slice::<f32>().expect("BUG: the numbers were converted");
    let mut mask = vec![0.0_f32; rows * n];
    mask.par_chunks_mut(n)
        .zip(numbers.par_chunks(n))
        .for_each_init(Vec::new, |room, (mask, row)| mark(row, k, mask, room));
    Tensor::from_data(TensorData::new(mask, [rows, n]), &device)
}

/// The same with Burn's operations, which leave the numbers where they are.
fn on_device(values: &Tensor<2>, k: usize) -> Tensor<2> {
    let (_, indices) = values.clone().topk_with_indices(k, 1);
    let ones = Tensor::ones([values.dims()[0], k], &values.device());
    values.zeros_like().scatter(1, indices, ones, IndexingUpdateOp::Add)
}

/// Marks the `k` largest of a row.
fn mark(row: &[f32], k: usize, mask: &mut [f32], room: &mut Vec<f32>) {
    if k == 0 {
        return;
    }
    room.clear();
    room.extend_from_slice(row);
    let (_, least, _) = room.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    let above = row.iter().filter(|value| value.total_cmp(&least).is_gt()).count();
    let mut ties = k - above;
    for (mark, value) in mask.iter_mut().zip(row) {
        let equal = value.total_cmp(&least);
        if equal.is_gt() || (equal.is_eq() && ties > 0) {
            ties -= usize::from(equal.is_eq());
            *mark = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;

    #[test]
    fn what_stays_is_positive() {
        let x = || Tensor::<2>::from_floats([[1.0, -2.0, 3.0], [-1.0, 2.0, -3.0]], &Device::flex());
        assert_eq!(read(positive(x())).unwrap(), [1.0, 0.0, 3.0, 0.0, 2.0, 0.0]);
        assert_eq!(read(largest_of_row(x(), 1)).unwrap(), [0.0, 0.0, 3.0, 0.0, 2.0, 0.0]);
        assert_eq!(read(largest_of_row(x(), 3)).unwrap(), [1.0, 0.0, 3.0, 0.0, 2.0, 0.0]);
        assert_eq!(read(largest_of_all(x(), 2)).unwrap(), [0.0, 0.0, 3.0, 0.0, 2.0, 0.0]);
    }

    fn marked(values: &[f32], k: usize) -> Vec<f32> {
        read(top_mask(Tensor::<1>::from_floats(values, &Device::flex()).unsqueeze(), k)).unwrap()
    }

    #[test]
    fn the_largest_by_hand() {
        assert_eq!(marked(&[1.0, -2.0, 3.0, 0.5], 2), [1.0, 0.0, 1.0, 0.0]);
        assert_eq!(marked(&[1.0, 2.0, 2.0, 2.0], 2), [0.0, 1.0, 1.0, 0.0], "of equal numbers the first");
        assert_eq!(marked(&[1.0, 2.0], 5), [1.0, 1.0]);
        assert_eq!(marked(&[1.0, 2.0], 0), [0.0, 0.0]);
        assert_eq!(marked(&[f32::NEG_INFINITY, 2.0, f32::NEG_INFINITY], 1), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn every_row_has_k_and_none_of_the_rest_is_larger() {
        let values: Vec<f32> = (0..7 * 31).map(|i| ((i * 37 % 101) as f32).sin()).collect();
        let tensor = Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape([7, 31]);
        assert_eq!(read(on_device(&tensor, 5)).unwrap(), read(top_mask(tensor.clone(), 5)).unwrap());
        let mask = read(top_mask(tensor, 5)).unwrap();
        for (row, mask) in values.chunks(31).zip(mask.chunks(31)) {
            assert_eq!(mask.iter().sum::<f32>(), 5.0);
            let kept = row.iter().zip(mask).filter(|(_, mask)| **mask == 1.0).map(|(value, _)| *value);
            let left = row.iter().zip(mask).filter(|(_, mask)| **mask == 0.0).map(|(value, _)| *value);
            assert!(kept.fold(f32::INFINITY, f32::min) >= left.fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
