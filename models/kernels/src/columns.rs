//! Products with a matrix whose rows are contiguous: a lane of a vector is a column.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::few::{FewRows, MEMORY, PAIR};
use crate::part::Part;
use crate::place::{GRAIN, LINE, Place, RUN, Weights};
use crate::tile::{Flat, Tiles};
use crate::weight::Number;

/// The part of the inner axis whose weights stay in a core's cache while all rows pass.
const DEPTH: usize = 8 * RUN;

/// Room for the weights that are copied together.
pub(crate) fn panel_length(d_in: usize) -> usize {
    (DEPTH.min(d_in) * GRAIN).max(MEMORY)
}

impl<'a, T: Number> Part<'a, '_, T> {
    /// Computes the columns. The rows of the weight are contiguous.
    pub(crate) fn write_from_rows(mut self) {
        let done = if self.out.len() <= T::FEW { self.where_they_lie() } else { 0 };
        if done < self.out[0].len() {
            for start in (0..self.d_in).step_by(DEPTH) {
                self.at_depth(start..self.d_in.min(start + DEPTH), done);
            }
        }
    }

    /// Few rows times the columns whose weights can be read where they lie. Says where the others begin.
    fn where_they_lie(&mut self) -> usize {
        let Self { x, d_in, weight, stride, bias, .. } = *self;
        if !T::has_pairs(weight, stride) {
            return 0;
        }
        let width = self.out[0].len() / PAIR * PAIR;
        Arch::new().dispatch(FewRows { x, d_in, weight, stride, width, bias, memory: self.panel, out: self.out });
        width
    }

    /// The terms of one part of the inner axis, for the columns from `from` on.
    fn at_depth(&mut self, depth: Range<usize>, mut from: usize) {
        let width = self.out[0].len();
        let weight = &self.weight[depth.start * self.stride..];
        while from < width {
            let columns = from..width.min(from + GRAIN);
            let panel = std::mem::take(&mut self.panel);
            match T::single(&weight[from..]) {
                Some(numbers) if columns.len() == GRAIN && self.stride.is_multiple_of(LINE) => {
                    let weights = Weights { numbers, stride: self.stride };
                    Arch::new().dispatch(Copy { weights, rows: depth.len(), panel });
                }
                _ => {
                    for row in 0..depth.len() {
                        let numbers = &weight[row * self.stride..][columns.clone()];
                        T::widen(numbers, &mut panel[row * GRAIN..][..columns.len()]);
                    }
                }
            }
            self.tiles(depth.clone(), columns, Weights { numbers: panel, stride: GRAIN });
            self.panel = panel;
            from += GRAIN;
        }
    }

    /// Where some columns are written, after the terms of a part of the inner axis.
    pub(crate) fn place(&self, depth: &Range<usize>, columns: Range<usize>) -> Place<'a> {
        Place {
            from: columns.start,
            width: columns.len(),
            first: depth.start == 0,
            bias: self.bias.filter(|_| depth.end == self.d_in),
        }
    }

    /// All rows times some columns. `weights` begins at the first of them.
    fn tiles(&mut self, depth: Range<usize>, columns: Range<usize>, weights: Weights<'_>) {
        let place = self.place(&depth, columns);
        let x = Flat { numbers: self.x, d_in: self.d_in, depth };
        Arch::new().dispatch(Tiles::<_, false> { x, weights, place, out: self.out });
    }
}

/// Copies [`GRAIN`] columns of weights.
struct Copy<'w, 'o> {
    weights: Weights<'w>,
    rows: usize,
    panel: &'o mut [f32],
}

impl WithSimd for Copy<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (wide, stride) = (GRAIN / S::F32_LANES, self.weights.stride / S::F32_LANES);
        let (from, into) = (S::as_simd_f32s(self.weights.numbers).0, S::as_mut_simd_f32s(self.panel).0);
        let mut row = 0;
        while row < self.rows {
            let mut at = 0;
            while at < wide {
                into[row * wide + at] = from[row * stride + at];
                at += 1;
            }
            row += 1;
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// AVX2 on a machine with AVX-512. A column's sum has the same order in vectors of every width.
    #[test]
    fn narrower_vectors_give_the_same_bits() {
        let Some(narrow) = pulp::x86::V3::try_new() else { return };
        let number = |at: usize| ((at * 7919) % 1009) as f32 / 1009.0 - 0.5;
        for rows in [1, 5, 8, 19] {
            let (d_in, width) = (300, 83);
            let x: Vec<f32> = (0..rows * d_in).map(number).collect();
            let numbers: Vec<f32> = (0..d_in * 96).map(|at| number(at + 5)).collect();
            let product = |is_narrow: bool| {
                let mut out = vec![0.0; rows * width];
                let mut parts: Vec<&mut [f32]> = out.chunks_mut(width).collect();
                let weights = Weights { numbers: &numbers, stride: 96 };
                let place = Place { from: 0, width, first: true, bias: Some(&x[..width]) };
                let flat = Flat { numbers: &x, d_in, depth: 0..d_in };
                let tiles = Tiles::<_, false> { x: flat, weights, place, out: &mut parts };
                if is_narrow {
                    Simd::vectorize(narrow, tiles);
                } else {
                    Arch::new().dispatch(tiles);
                }
                out
            };
            let (narrow, wide) = (product(true), product(false));
            assert_eq!(narrow, wide);
            let exact: f64 = (0..d_in).map(|i| f64::from(x[i]) * f64::from(numbers[i * 96 + 82])).sum();
            assert!((f64::from(narrow[82]) - exact - f64::from(x[82])).abs() < 1e-5, "{} {exact}", narrow[82]);
        }
    }
}
