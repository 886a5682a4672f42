//! Products of many rows with a matrix whose columns are contiguous: its panels are transposed, for the tiles of matrices whose
//! rows are contiguous.
//!
//! The sums have the bits that [`crate::dots`] gives them. There, lane `l` of a vector sums the terms `l`, `l + lanes`,
//! `l + 2 lanes` and so on, and the lanes are then added, halves first. Here, the terms of a lane lie side by side, as a run,
//! and the runs lie in the order in which their sums are added: those of the lanes 0, 8, 4, 12 and so on.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::dots::DEPTH;
use crate::memory::zeros;
use crate::part::Part;
use crate::place::{GRAIN, Weights};
use crate::tile::{Flat, Tiles};
use crate::transpose::{COLUMNS, transpose};
use crate::weight::Number;

/// Rows that are enough to share the cost of a transposed panel.
pub(crate) const MANY: usize = 32;

/// Numbers of `x` that leave no room for a matrix in a core's cache: sums across lanes then wait for both.
pub(crate) const LARGE: usize = 1 << 18;

/// Room for a panel, and for the columns that are widened for it.
pub(crate) fn panel_length(d_in: usize) -> usize {
    let depth = DEPTH.min(d_in);
    depth.next_multiple_of(lanes()) * GRAIN + depth * COLUMNS
}

/// Rows whose terms lie lane by lane.
pub(crate) struct ByLane {
    /// `[rows, width]`
    numbers: Vec<f32>,
    /// The inner axis with the zeros that fill the last vector.
    width: usize,
}

impl ByLane {
    /// Rearranges the rows, if that pays. On other processors vectors add their lanes in another order.
    pub(crate) fn of(x: &[f32], d_in: usize) -> Option<Self> {
        (cfg!(target_arch = "x86_64") && x.len() >= LARGE.max(MANY * d_in)).then(|| {
            let lanes = lanes();
            let width = d_in.next_multiple_of(lanes);
            let mut numbers = zeros(x.len() / d_in * width);
            let rows = numbers.par_chunks_mut(width).zip(x.par_chunks(d_in));
            rows.with_min_len(16).for_each(|(into, x)| rearrange(x, lanes, into));
            Self { numbers, width }
        })
    }
}

fn rearrange(x: &[f32], lanes: usize, into: &mut [f32]) {
    for (into, x) in into.chunks_mut(DEPTH).zip(x.chunks(DEPTH)) {
        let runs = runs(lanes, x.len());
        for (step, x) in x.chunks(lanes).enumerate() {
            x.iter().zip(&runs).for_each(|(x, run)| into[run + step] = *x);
        }
    }
}

/// Where the run of each lane begins, for a part of the inner axis.
fn runs(lanes: usize, depth: usize) -> Vec<usize> {
    let (steps, bits) = (depth.div_ceil(lanes), lanes.trailing_zeros());
    let reversed = |lane: usize| if bits == 0 { 0 } else { lane.reverse_bits() >> (usize::BITS - bits) };
    (0..lanes).map(|lane| reversed(lane) * steps).collect()
}

impl<T: Number> Part<'_, '_, T> {
    /// Computes the columns for rows that lie lane by lane. The columns of the weight are contiguous.
    pub(crate) fn write_by_lane(mut self, x: &ByLane) {
        let (width, lanes, panel) = (self.out[0].len(), lanes(), std::mem::take(&mut self.panel));
        for start in (0..self.d_in).step_by(DEPTH) {
            let depth = start..self.d_in.min(start + DEPTH);
            let length = depth.len().next_multiple_of(lanes);
            let runs = runs(lanes, depth.len());
            for from in (0..width).step_by(GRAIN) {
                let columns = from..width.min(from + GRAIN);
                let (numbers, wide) = panel.split_at_mut(length * GRAIN);
                for first in (0..columns.len()).step_by(COLUMNS) {
                    self.transpose(&depth, from + first, &runs, &mut numbers[first..], wide);
                }
                let (place, weights) = (self.place(&depth, columns), Weights { numbers, stride: GRAIN });
                let x = Flat { numbers: &x.numbers, d_in: x.width, depth: start..start + length };
                Arch::new().dispatch(Tiles::<_, true> { x, weights, place, out: self.out });
            }
        }
    }

    /// Transposes a few columns, the first of them `from`. Missing ones are copies of the last.
    fn transpose(&self, depth: &Range<usize>, from: usize, runs: &[usize], panel: &mut [f32], wide: &mut [f32]) {
        let last = self.out[0].len() - 1;
        let mut columns: [&[f32]; COLUMNS] = [&[]; COLUMNS];
        for ((c, column), own) in columns.iter_mut().enumerate().zip(wide.chunks_exact_mut(depth.len())) {
            let start = last.min(from + c) * self.stride;
            let numbers = &self.weight[start + depth.start..start + depth.end];
            *column = T::single(numbers).unwrap_or_else(|| {
                T::widen(numbers, own);
                own
            });
        }
        transpose(columns, runs, panel);
    }
}

/// Numbers in a vector.
fn lanes() -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    Arch::new().dispatch(Lanes)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::place::Place;

    fn number(at: usize) -> f32 {
        ((at * 7919) % 1009) as f32 / 1009.0 - 0.5
    }

    /// AVX2 on a machine with AVX-512, and whatever this machine has.
    #[test]
    fn sums_of_lanes_are_added_halves_first() {
        let Some(narrow) = pulp::x86::V3::try_new() else { return };
        let (rows, d_in) = (9, 75);
        let x: Vec<f32> = (0..rows * d_in).map(number).collect();
        let column = |c: usize| (0..d_in).map(|at| number(at + 5 + c * d_in)).collect::<Vec<f32>>();
        let columns: [Vec<f32>; COLUMNS] = std::array::from_fn(column);
        for lanes in [8, lanes()] {
            let length = d_in.next_multiple_of(lanes);
            let (mut laid, mut panel) = (vec![0.0; rows * length], vec![0.0; length * GRAIN]);
            laid.chunks_mut(length).zip(x.chunks(d_in)).for_each(|(into, x)| rearrange(x, lanes, into));
            transpose(columns.each_ref().map(Vec::as_slice), &runs(lanes, d_in), &mut panel);
            let mut out = vec![0.0; rows * COLUMNS];
            let mut parts: Vec<&mut [f32]> = out.chunks_mut(COLUMNS).collect();
            let weights = Weights { numbers: &panel, stride: GRAIN };
            let place = Place { from: 0, width: COLUMNS, first: true, bias: None };
            let flat = Flat { numbers: &laid, d_in: length, depth: 0..length };
            let tiles = Tiles::<_, true> { x: flat, weights, place, out: &mut parts };
            if lanes == 8 {
                Simd::vectorize(narrow, tiles);
            } else {
                Arch::new().dispatch(tiles);
            }
            for (at, found) in out.iter().enumerate() {
                let expected = by_hand(&x[at / COLUMNS * d_in..][..d_in], &columns[at % COLUMNS], lanes);
                assert_eq!(found.to_bits(), expected.to_bits(), "{lanes} lanes, {at}");
            }
        }
    }

    fn by_hand(x: &[f32], column: &[f32], lanes: usize) -> f32 {
        let mut sums = vec![0.0_f32; lanes];
        for (at, (x, weight)) in x.iter().zip(column).enumerate() {
            sums[at % lanes] = x.mul_add(*weight, sums[at % lanes]);
        }
        while sums.len() > 1 {
            let upper = sums.split_off(sums.len() / 2);
            sums.iter_mut().zip(upper).for_each(|(sum, upper)| *sum += upper);
        }
        sums[0]
    }
}
