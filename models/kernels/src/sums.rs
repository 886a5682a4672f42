//! Sums and marks of columns.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows that are summed one after another. It depends on nothing, so neither do the bits of a sum.
const ROWS: usize = 64;

/// The sum of each column of rows of `width` numbers.
///
/// # Panics
///
/// If `width` is 0.
pub fn column_sums(numbers: &[f32], width: usize) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = numbers.par_chunks(ROWS * width).map(|rows| summed(rows, width)).collect();
    summed(&parts.concat(), width)
}

fn summed(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    Arch::new().dispatch(Add { rows, sums: &mut sums });
    sums
}

struct Add<'a, 'o> {
    rows: &'a [f32],
    sums: &'o mut [f32],
}

impl WithSimd for Add<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact(self.sums.len()) {
            self.sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
}

/// For each column of rows of `width` numbers whether any of them is not zero.
///
/// # Panics
///
/// If `width` is 0.
pub fn any_of_columns(numbers: &[f32], width: usize) -> Vec<bool> {
    let of = |rows: &[f32]| {
        let mut any = vec![0_u32; width];
        // The bit of the sign is shifted out.
        rows.chunks_exact(width).for_each(|row| any.iter_mut().zip(row).for_each(|(any, x)| *any |= x.to_bits() << 1));
        any
    };
    let join = |mut a: Vec<u32>, b: Vec<u32>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a |= b);
        a
    };
    let any = numbers.par_chunks(ROWS * width).map(of).reduce(|| vec![0; width], join);
    any.into_iter().map(|bits| bits != 0).collect()
}

/// The least number above zero; infinity if there is none.
pub fn least_positive(numbers: &[f32]) -> f32 {
    let of =
        |chunk: &[f32]| chunk.iter().fold(f32::INFINITY, |least, x| if *x > 0.0 && *x < least { *x } else { least });
    numbers.par_chunks(1 << 16).map(of).reduce(|| f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_hand() {
        assert_eq!(column_sums(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2), [9.0, 12.0]);
        assert_eq!(any_of_columns(&[0.0, -0.0, 3.0, 0.0, 0.0, f32::NAN], 3), [false, false, true]);
        assert_eq!(least_positive(&[0.0, 3.0, -1.0, 2.0, f32::NAN]), 2.0);
        assert_eq!(least_positive(&[0.0, -1.0]), f32::INFINITY);
        let many: Vec<f32> = (0..1000 * 7).map(|at| (at / 7 % 3) as f32 + (at % 7) as f32).collect();
        let expected: Vec<f32> = (0..7).map(|column| 999.0 + 1000.0 * column as f32).collect();
        assert_eq!(column_sums(&many, 7), expected);
    }
}
