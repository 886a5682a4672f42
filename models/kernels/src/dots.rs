//! Products with a matrix whose columns are contiguous: a lane of a vector is a part of the inner axis.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::part::Part;
use crate::tile::{Flat, TileRows as _};
use crate::weight::Number;

/// The part of the inner axis that is summed in vectors. Each lane then has few terms.
pub(crate) const DEPTH: usize = 1024;

/// Columns of a tile.
const COLUMNS: usize = 6;

/// Numbers of a column that are widened before those of the next.
const STRETCH: usize = 64;

/// Numbers of `x` that stay in a core's cache while all columns pass.
const CACHED: usize = 1 << 17;

/// Room for the columns of a tile.
pub(crate) fn panel_length(d_in: usize) -> usize {
    DEPTH.min(d_in) * COLUMNS
}

impl<T: Number> Part<'_, '_, T> {
    /// Computes the columns. The columns of the weight are contiguous.
    pub(crate) fn write_from_columns(mut self) {
        let (rows, width) = (self.out.len(), self.out[0].len());
        let (parts, d_in) = ((0..self.d_in).step_by(DEPTH), self.d_in);
        let part = |start: usize| start..d_in.min(start + DEPTH);
        let columns = |from: usize| from..width.min(from + COLUMNS);
        if rows * d_in <= CACHED {
            // Whole columns are one stretch of memory.
            for from in (0..width).step_by(COLUMNS) {
                parts.clone().for_each(|start| self.columns(0..rows, &part(start), columns(from)));
            }
        } else {
            for depth in parts.map(part) {
                let block = (CACHED / depth.len()).next_multiple_of(4);
                for first in (0..rows).step_by(block) {
                    let rows = first..rows.min(first + block);
                    (0..width).step_by(COLUMNS).for_each(|from| self.columns(rows.clone(), &depth, columns(from)));
                }
            }
        }
        if let Some(bias) = self.bias {
            for row in self.out.iter_mut() {
                row.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
    }

    /// Some rows times a few columns. A tile's missing columns are copies of the last one.
    fn columns(&mut self, rows: Range<usize>, depth: &Range<usize>, columns: Range<usize>) {
        let column = |c: usize| {
            let start = (columns.start + c.min(columns.len() - 1)) * self.stride;
            &self.weight[start + depth.start..start + depth.end]
        };
        let mut weights: [&[f32]; COLUMNS] = [&[]; COLUMNS];
        if T::single(self.weight).is_none() {
            // Side by side, so that memory answers for all of them at once.
            for at in (0..depth.len()).step_by(STRETCH) {
                for (c, own) in self.panel.chunks_exact_mut(depth.len()).take(COLUMNS).enumerate() {
                    let stretch = at..depth.len().min(at + STRETCH);
                    T::widen(&column(c)[stretch.clone()], &mut own[stretch]);
                }
            }
        }
        for ((c, weights), own) in weights.iter_mut().enumerate().zip(self.panel.chunks_exact(depth.len())) {
            *weights = T::single(column(c)).unwrap_or(own);
        }
        let (numbers, out) = (&self.x[rows.start * self.d_in..], &mut self.out[rows]);
        let x = Flat { numbers, d_in: self.d_in, depth: depth.clone() };
        Arch::new().dispatch(Tiles { x, weights, columns, out });
    }
}

/// Some rows times a few columns.
struct Tiles<'a, 'o, 'w> {
    x: Flat<'w>,
    weights: [&'w [f32]; COLUMNS],
    columns: Range<usize>,
    out: &'o mut [&'a mut [f32]],
}

impl WithSimd for Tiles<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 4, COLUMNS>(simd) } else { self.run::<S, 4, 3>(simd) }
    }
}

impl Tiles<'_, '_, '_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const WIDE: usize>(mut self, simd: S) {
        let mut from = 0;
        while from < self.columns.len() {
            let mut weights: [&[f32]; WIDE] = [&[]; WIDE];
            let mut c = 0;
            while c < WIDE {
                weights[c] = self.weights[from + c];
                c += 1;
            }
            let mut at = 0;
            while at < self.out.len() {
                if at + ROWS <= self.out.len() {
                    let dots = tile::<S, ROWS, WIDE>(simd, self.x.some(at), weights);
                    self.keep(&dots, at, from);
                    at += ROWS;
                } else {
                    let dots = tile::<S, 1, WIDE>(simd, self.x.some(at), weights);
                    self.keep(&dots, at, from);
                    at += 1;
                }
            }
            from += WIDE;
        }
    }

    #[inline(always)]
    fn keep<const WIDE: usize>(&mut self, dots: &[[f32; WIDE]], at: usize, from: usize) {
        let mut r = 0;
        while r < dots.len() {
            let out = &mut *self.out[at + r];
            let mut c = 0;
            while c < WIDE && from + c < self.columns.len() {
                let place = self.columns.start + from + c;
                out[place] = if self.x.depth.start == 0 { dots[r][c] } else { out[place] + dots[r][c] };
                c += 1;
            }
            r += 1;
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const WIDE: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    weights: [&[f32]; WIDE],
) -> [[f32; WIDE]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; ROWS];
    let whole = x[0].len() / S::F32_LANES;
    let mut rows: [&[S::f32s]; ROWS] = [&[]; ROWS];
    let mut columns: [&[S::f32s]; WIDE] = [&[]; WIDE];
    let mut r = 0;
    while r < ROWS {
        rows[r] = &S::as_simd_f32s(x[r]).0[..whole];
        r += 1;
    }
    let mut c = 0;
    while c < WIDE {
        columns[c] = &S::as_simd_f32s(weights[c]).0[..whole];
        c += 1;
    }
    let mut at = 0;
    while at < whole {
        let mut r = 0;
        while r < ROWS {
            let mut c = 0;
            while c < WIDE {
                sums[r][c] = simd.mul_add_f32s(rows[r][at], columns[c][at], sums[r][c]);
                c += 1;
            }
            r += 1;
        }
        at += 1;
    }
    let rest = whole * S::F32_LANES;
    let mut dots = [[0.0; WIDE]; ROWS];
    let mut r = 0;
    while r < ROWS {
        let mut c = 0;
        while c < WIDE {
            if rest < x[r].len() {
                let (x, weight) = (simd.partial_load_f32s(&x[r][rest..]), simd.partial_load_f32s(&weights[c][rest..]));
                sums[r][c] = simd.mul_add_f32s(x, weight, sums[r][c]);
            }
            dots[r][c] = simd.reduce_sum_f32s(sums[r][c]);
            c += 1;
        }
        r += 1;
    }
    dots
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// AVX2 on a machine with AVX-512.
    #[test]
    fn narrower_vectors_give_the_same_numbers() {
        let Some(narrow) = pulp::x86::V3::try_new() else { return };
        let number = |at: usize| ((at * 7919) % 1009) as f32 / 1009.0 - 0.5;
        let (rows, d_in) = (7, 301);
        let x: Vec<f32> = (0..rows * d_in).map(number).collect();
        let numbers: Vec<f32> = (0..d_in * COLUMNS).map(|at| number(at + 5)).collect();
        for width in 1..=COLUMNS {
            let mut weights: [&[f32]; COLUMNS] = [&[]; COLUMNS];
            for (c, weights) in weights.iter_mut().enumerate() {
                *weights = &numbers[c.min(width - 1) * d_in..][..d_in];
            }
            let mut out = vec![0.0; rows * width];
            let mut parts: Vec<&mut [f32]> = out.chunks_mut(width).collect();
            let flat = Flat { numbers: &x, d_in, depth: 0..d_in };
            let tiles = Tiles { x: flat, weights, columns: 0..width, out: &mut parts };
            Simd::vectorize(narrow, tiles);
            for (at, found) in out.iter().enumerate() {
                let (x, weight) = (&x[at / width * d_in..], weights[at % width]);
                let exact: f64 = weight.iter().zip(x).map(|(weight, x)| f64::from(*weight) * f64::from(*x)).sum();
                assert!((f64::from(*found) - exact).abs() < 1e-5, "{found} {exact}");
            }
        }
    }
}
