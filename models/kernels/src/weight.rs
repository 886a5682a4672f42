//! Weights as they lie in memory, in any precision.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use bytemuck::Pod;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use pulp::{Arch, Simd, WithSimd};

/// A number that weights are stored in.
pub(crate) trait Number: Copy + Send + Sync {
    /// The same numbers, if they are in single precision already.
    fn single(numbers: &[Self]) -> Option<&[f32]>;

    /// Writes the numbers in single precision.
    fn widen(numbers: &[Self], into: &mut [f32]);

    /// Up to this many rows, weights are read where they lie: their copies would cost more than they save.
    const FEW: usize;

    /// As many numbers as two vectors in single precision have.
    type Pair<S: Simd>: Copy;

    /// Whether rows that begin here and lie `stride` apart can be read in pairs.
    fn has_pairs(numbers: &[Self], stride: usize) -> bool;

    /// Whole pairs.
    fn pairs<S: Simd>(numbers: &[Self]) -> &[Self::Pair<S>];

    /// A pair in single precision: the first and the second half of singles, and of halves those at even places and those at
    /// odd ones.
    fn split<S: Simd>(simd: S, pair: Self::Pair<S>) -> [S::f32s; 2];

    /// Writes numbers that are in the order of `split` in their own order.
    fn unsplit(pair: &[f32], into: &mut [f32]);
}

impl Number for f32 {
    fn single(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }

    fn widen(numbers: &[Self], into: &mut [f32]) {
        into.copy_from_slice(numbers);
    }

    const FEW: usize = 32;

    type Pair<S: Simd> = [S::f32s; 2];

    fn has_pairs(_: &[Self], _: usize) -> bool {
        true
    }

    #[inline(always)]
    fn pairs<S: Simd>(numbers: &[Self]) -> &[[S::f32s; 2]] {
        S::as_simd_f32s(numbers).0.as_chunks().0
    }

    #[inline(always)]
    fn split<S: Simd>(_: S, pair: [S::f32s; 2]) -> [S::f32s; 2] {
        pair
    }

    fn unsplit(pair: &[f32], into: &mut [f32]) {
        into.copy_from_slice(pair);
    }
}

/// A number of two bytes.
trait Half: Pod + Send + Sync {
    /// Writes the numbers in single precision.
    fn to_single(numbers: &[Self], into: &mut [f32]);

    /// The lower and the upper numbers of words, in single precision.
    fn of_words<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2];
}

impl<T: Half> Number for T {
    fn single(_: &[Self]) -> Option<&[f32]> {
        None
    }

    fn widen(numbers: &[Self], into: &mut [f32]) {
        T::to_single(numbers, into);
    }

    const FEW: usize = 64;

    type Pair<S: Simd> = S::u32s;

    /// They are words, if those begin with the lower half.
    fn has_pairs(numbers: &[Self], stride: usize) -> bool {
        let aligned = numbers.as_ptr().addr().is_multiple_of(align_of::<u32>());
        cfg!(target_endian = "little") && aligned && stride.is_multiple_of(2)
    }

    #[inline(always)]
    fn pairs<S: Simd>(numbers: &[Self]) -> &[S::u32s] {
        let whole = &numbers[..numbers.len() / 2 * 2];
        S::as_simd_u32s(bytemuck::cast_slice(whole)).0
    }

    #[inline(always)]
    fn split<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2] {
        T::of_words(simd, words)
    }

    fn unsplit(pair: &[f32], into: &mut [f32]) {
        let (even, odd) = pair.split_at(pair.len() / 2);
        for ((into, even), odd) in into.chunks_exact_mut(2).zip(even).zip(odd) {
            into.copy_from_slice(&[*even, *odd]);
        }
    }
}

impl Half for f16 {
    fn to_single(numbers: &[Self], into: &mut [f32]) {
        numbers.convert_to_f32_slice(into);
    }

    /// The exponent is 15 more than it says in a half, and 127 more in a single.
    #[inline(always)]
    fn of_words<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2] {
        let of_upper = |upper: S::u32s| {
            let sign = simd.and_u32s(upper, simd.splat_u32s(1 << 31));
            let rest =
                simd.and_u32s(simd.wrapping_dyn_shr_u32s(upper, simd.splat_u32s(3)), simd.splat_u32s(0x7fff << 13));
            let scaled = simd.mul_f32s(simd.transmute_f32s_u32s(rest), simd.splat_f32s(2.0_f32.powi(127 - 15)));
            let not_finite = simd.greater_than_or_equal_u32s(rest, simd.splat_u32s(0x7c00 << 13));
            let largest = simd.or_u32s(rest, simd.splat_u32s(0xff << 23));
            let size = simd.select_u32s(not_finite, largest, simd.transmute_u32s_f32s(scaled));
            simd.transmute_f32s_u32s(simd.or_u32s(size, sign))
        };
        [of_upper(simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16))), of_upper(words)]
    }
}

impl Half for bf16 {
    fn to_single(numbers: &[Self], into: &mut [f32]) {
        Arch::new().dispatch(Widen { numbers, into });
    }

    /// A bf16 is the upper half of an f32.
    #[inline(always)]
    fn of_words<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2] {
        let lower = simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16));
        let upper = simd.and_u32s(words, simd.splat_u32s(0xffff << 16));
        [simd.transmute_f32s_u32s(lower), simd.transmute_f32s_u32s(upper)]
    }
}

/// Writes numbers in single precision.
struct Widen<'w, 'o> {
    numbers: &'w [bf16],
    into: &'o mut [f32],
}

impl WithSimd for Widen<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (into, number) in self.into.iter_mut().zip(self.numbers) {
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

    /// Both numbers of a word, for each of the 65,536 halves that there are.
    struct All;

    impl WithSimd for All {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let same = |found: f32, expected: f32| {
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan()
            };
            for bits in 0..=u16::MAX {
                let words = simd.splat_u32s(u32::from(bits) << 16 | u32::from(!bits));
                for (found, expected) in [
                    (bf16::split(simd, words), [bf16::from_bits(!bits).to_f32(), bf16::from_bits(bits).to_f32()]),
                    (f16::split(simd, words), [f16::from_bits(!bits).to_f32(), f16::from_bits(bits).to_f32()]),
                ] {
                    let mut lanes = [0.0; 64];
                    let lanes = &mut lanes[..2 * S::F32_LANES];
                    S::as_mut_simd_f32s(lanes).0.copy_from_slice(&found);
                    let (first, second) = lanes.split_at(S::F32_LANES);
                    assert!(
                        first.iter().all(|x| same(*x, expected[0])) && second.iter().all(|x| same(*x, expected[1])),
                        "{bits:x}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_half_is_widened_as_its_own_crate_does() {
        Arch::new().dispatch(All);
    }
}
