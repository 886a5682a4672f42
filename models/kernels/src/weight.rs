//! Weights as they lie in memory, in any precision.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A number that weights are stored in.
pub(crate) trait Number: Copy + Send + Sync {
    /// The same numbers, if they are in single precision already.
    fn single(numbers: &[Self]) -> Option<&[f32]>;

    /// Writes the numbers in single precision.
    fn widen(numbers: &[Self], into: &mut [f32]);
}

impl Number for f32 {
    fn single(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }

    fn widen(numbers: &[Self], into: &mut [f32]) {
        into.copy_from_slice(numbers);
    }
}

impl Number for f16 {
    fn single(_: &[Self]) -> Option<&[f32]> {
        None
    }

    fn widen(numbers: &[Self], into: &mut [f32]) {
        numbers.convert_to_f32_slice(into);
    }
}

impl Number for bf16 {
    fn single(_: &[Self]) -> Option<&[f32]> {
        None
    }

    /// A bf16 is the upper half of an f32.
    fn widen(numbers: &[Self], into: &mut [f32]) {
        for (into, number) in into.iter_mut().zip(numbers) {
            *into = f32::from_bits(u32::from(number.to_bits()) << 16);
        }
    }
}

/// The numbers of a matrix, in the precision in which they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision, IEEE.
    F16(&'a [f16]),
    /// Half precision, the upper half of a single.
    BF16(&'a [bf16]),
}

/// A matrix `[d_in, d_out]` in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// From the first number of the matrix on.
    pub numbers: Numbers<'a>,
    /// `[d_in, d_out]`
    pub shape: [usize; 2],
    /// Where an entry is.
    pub order: Order,
}

/// Which axis of a matrix is contiguous, and how far apart the entries of the other lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One row after another.
    Rows(usize),
    /// One column after another.
    Columns(usize),
}

impl Order {
    /// The order of a matrix with these strides, if one of its axes is contiguous and its entries do not overlap.
    pub fn of([d_in, d_out]: [usize; 2], strides: [isize; 2]) -> Option<Self> {
        let strides = strides.map(|stride| usize::try_from(stride).unwrap_or(0));
        match strides {
            [row, 1] if row >= d_out => Some(Self::Rows(row)),
            [1, column] if column >= d_in => Some(Self::Columns(column)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_matrix() {
        assert_eq!(Order::of([2, 3], [3, 1]), Some(Order::Rows(3)));
        assert_eq!(Order::of([2, 3], [5, 1]), Some(Order::Rows(5)), "a part of the columns");
        assert_eq!(Order::of([2, 3], [1, 2]), Some(Order::Columns(2)));
        assert_eq!(Order::of([2, 3], [0, 1]), None, "the same row again");
        assert_eq!(Order::of([2, 3], [-3, 1]), None, "from the last row");
        assert_eq!(Order::of([2, 3], [6, 2]), None, "every other column");
    }

    #[test]
    fn halves_by_hand() {
        let mut wide = [0.0; 3];
        bf16::widen(&[1.5, -0.25, 3.0].map(bf16::from_f32), &mut wide);
        assert_eq!(wide, [1.5, -0.25, 3.0]);
        f16::widen(&[1.5, -0.25, 3.0].map(f16::from_f32), &mut wide);
        assert_eq!(wide, [1.5, -0.25, 3.0]);
    }
}
