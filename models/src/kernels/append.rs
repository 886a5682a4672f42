//! Keys and values of new positions after those of earlier ones, in memory with room to grow.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::flex::{all_plain, with_numbers};

/// `[batch, pos, head, d_head]`: `new` after `old`.
///
/// On the CPU the result is a view of longer memory. If nobody else holds `old` and its memory has room, `new` is written there;
/// else both are copied into memory with room for half as many positions more. So a position is copied a few times, however
/// many follow it.
pub(crate) fn append(old: Tensor<4>, new: Tensor<4>) -> Tensor<4> {
    let known = |x: &Tensor<4>| x.dtype() == DType::F32 && x.dims().iter().product::<usize>() > 0;
    if !known(&old) || !known(&new) {
        return Tensor::cat(vec![old, new], 1);
    }
    match all_plain([old, new]) {
        Ok([old, new]) => with_numbers(grown(old, &new)),
        Err([old, new]) => Tensor::cat(vec![old, new], 1),
    }
}

fn grown(old: FlexTensor, new: &FlexTensor) -> FlexTensor {
    let [batch, held, heads, d_head]: [usize; 4] = old.layout().shape().dims();
    let row = heads * d_head;
    let new = new.to_contiguous();
    let numbers: &[f32] = new.as_slice().expect("BUG: the tensor is contiguous and in single precision");
    let length = held + numbers.len() / (batch * row);
    let mut old = if has_room(&old, length) { old } else { moved(&old, length + length / 2) };
    let (start, strides) = (old.layout().start_offset(), old.layout().strides().to_vec());
    let memory = old.try_storage_mut::<f32>().expect("BUG: nobody else holds the memory");
    for (at, numbers) in numbers.chunks_exact(numbers.len() / batch).enumerate() {
        memory[start + at * strides[0] as usize + held * row..][..numbers.len()].copy_from_slice(numbers);
    }
    old.with_layout(Layout::new(Shape::new([batch, length, heads, d_head]), strides, start))
}

/// Whether nobody else holds the memory, and the numbers of `length` positions fit after one another for each row.
fn has_room(x: &FlexTensor, length: usize) -> bool {
    let [batch, _, heads, d_head]: [usize; 4] = x.layout().shape().dims();
    let row = heads * d_head;
    let [per_batch, per_pos, per_head, one] =
        [0, 1, 2, 3].map(|axis| usize::try_from(x.layout().strides()[axis]).unwrap_or(0));
    let last = x.layout().start_offset() + (batch - 1) * per_batch + length * row;
    let in_order = [per_pos, per_head, one] == [row, d_head, 1] && (batch == 1 || per_batch >= length * row);
    x.is_unique() && in_order && last <= x.storage::<f32>().len()
}

/// A copy with room for `capacity` positions.
fn moved(x: &FlexTensor, capacity: usize) -> FlexTensor {
    let [batch, held, heads, d_head]: [usize; 4] = x.layout().shape().dims();
    let (row, x) = (heads * d_head, x.to_contiguous());
    let numbers: &[f32] = x.as_slice().expect("BUG: the tensor is contiguous and in single precision");
    let mut memory = vec![0.0; batch * capacity * row];
    for (into, from) in memory.chunks_exact_mut(capacity * row).zip(numbers.chunks_exact(held * row)) {
        into[..held * row].copy_from_slice(from);
    }
    let strides = [capacity * row, row, d_head, 1].map(|stride| stride as isize);
    let layout = Layout::new(Shape::new([batch, held, heads, d_head]), strides.to_vec(), 0);
    FlexTensor::new(Bytes::from_elems(memory), layout, DType::F32)
}

#[cfg(test)]
mod tests {
    use super::super::flex::constant;
    use super::*;
    use crate::device::read;
    use crate::kernels::testing::noise;
    use burn::tensor::{Device, TensorData};

    fn tensor(seed: u64, shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(noise(seed, shape.iter().product()), shape), &Device::flex())
    }

    fn address(x: &Tensor<4>) -> *const f32 {
        constant(x.clone()).unwrap().storage::<f32>().as_ptr()
    }

    #[test]
    fn the_numbers_are_those_of_a_copy_and_rarely_move() {
        for batch in [1, 3] {
            let (mut grown, mut copied) = (tensor(0, [batch, 5, 2, 4]), tensor(0, [batch, 5, 2, 4]));
            let mut moves = 0;
            for step in 1..200 {
                let new = tensor(step, [batch, 1 + step as usize % 3, 2, 4]);
                let before = address(&grown);
                grown = append(grown, new.clone());
                copied = Tensor::cat(vec![copied, new], 1);
                moves += usize::from(address(&grown) != before);
            }
            assert_eq!(grown.dims(), [batch, 403, 2, 4]);
            assert_eq!(read(grown).unwrap(), read(copied).unwrap());
            // From 5 to 403 positions by halves.
            assert!((1..=12).contains(&moves), "{moves}");
        }
    }

    #[test]
    fn what_others_hold_keeps_its_numbers() {
        let first = append(tensor(1, [1, 2, 1, 4]), tensor(2, [1, 1, 1, 4]));
        let held = read(first.clone()).unwrap();
        let (one, two) =
            (append(first.clone(), tensor(3, [1, 1, 1, 4])), append(first.clone(), tensor(4, [1, 1, 1, 4])));
        let ends = |x: Tensor<4>| read(x).unwrap().split_off(12);
        assert_eq!((ends(one), ends(two)), (noise(3, 4), noise(4, 4)));
        assert_eq!(read(first).unwrap(), held);
    }

    /// Heads before positions, a view of the end, and a part of the positions that is nobody else's.
    #[test]
    fn views_are_copied_or_overwritten_behind_their_end() {
        let swapped = tensor(1, [2, 3, 5, 4]).swap_dims(1, 2);
        let tail = tensor(2, [2, 9, 3, 4]).narrow(1, 6, 3);
        let part = tensor(3, [2, 9, 3, 4]).narrow(1, 0, 4);
        for old in [swapped, tail, part] {
            let new = tensor(4, [2, 2, 3, 4]);
            let copied = read(Tensor::cat(vec![old.clone(), new.clone()], 1)).unwrap();
            assert_eq!(read(append(old, new)).unwrap(), copied);
        }
    }

    #[test]
    fn half_precision_and_nothing_are_joined_by_burn() {
        let half = |x: Tensor<4>| x.cast(burn::tensor::FloatDType::BF16);
        let joined = append(half(tensor(1, [1, 2, 1, 4])), half(tensor(2, [1, 1, 1, 4])));
        assert_eq!((joined.dims(), joined.dtype()), ([1, 3, 1, 4], DType::BF16));
        let none = Tensor::zeros([1, 0, 1, 4], &Device::flex());
        assert_eq!(read(append(none, tensor(2, [1, 1, 1, 4]))).unwrap(), noise(2, 4));
    }
}
