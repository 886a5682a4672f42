//! Few rows times a matrix whose rows are contiguous: the weights are read once, where they lie and in long stretches, and the sums
//! of many columns wait next to the core. A copy of the weights would cost more than the product.
//!
//! The sums have the bits that [`crate::tile`] gives to the same numbers in single precision.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::place::{LINE, RUN};
use crate::weight::Number;

/// Columns of two vectors of the widest kind. Whole ones are read here.
pub(crate) const PAIR: usize = 2 * LINE;

/// Rows whose sums are added to together.
const GROUP: usize = 4;

/// Rows of the weight that are read side by side.
const BESIDE: usize = 4;

/// Sums that wait next to the core.
const NEAR: usize = 1 << 14;

/// Room for the sums of the columns that are computed together, and for those of one run of terms.
pub(crate) const MEMORY: usize = 2 * NEAR;

/// Few rows times some columns, whole pairs of vectors.
pub(crate) struct FewRows<'a, 'r, 'o, T> {
    /// `[rows, d_in]`
    pub(crate) x: &'a [f32],
    pub(crate) d_in: usize,
    /// From the first column on.
    pub(crate) weight: &'a [T],
    /// From one row of the weight to the next.
    pub(crate) stride: usize,
    pub(crate) width: usize,
    pub(crate) bias: Option<&'a [f32]>,
    /// Of [`MEMORY`] numbers.
    pub(crate) memory: &'o mut [f32],
    /// Each row's columns.
    pub(crate) out: &'o mut [&'r mut [f32]],
}

impl<T: Number> WithSimd for FewRows<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let block = NEAR / self.out.len() / PAIR * PAIR;
        for from in (0..self.width).step_by(block) {
            self.columns(simd, from..self.width.min(from + block));
        }
    }
}

impl<T: Number> FewRows<'_, '_, '_, T> {
    #[inline(always)]
    fn columns<S: Simd>(&mut self, simd: S, columns: Range<usize>) {
        let (rows, wide) = (self.out.len(), columns.len());
        let memory = std::mem::take(&mut self.memory);
        let (run, sums) = memory.split_at_mut(NEAR);
        let (run, sums) = (&mut run[..rows * wide], &mut sums[..rows * wide]);
        sums.fill(0.0);
        for start in (0..self.d_in).step_by(RUN) {
            let terms = start..self.d_in.min(start + RUN);
            run.fill(0.0);
            for (group, run) in run.chunks_mut(GROUP * wide).enumerate() {
                match run.len() / wide {
                    1 => self.add::<S, 1>(simd, group, &terms, columns.start, run),
                    2 => self.add::<S, 2>(simd, group, &terms, columns.start, run),
                    3 => self.add::<S, 3>(simd, group, &terms, columns.start, run),
                    _ => self.add::<S, GROUP>(simd, group, &terms, columns.start, run),
                }
            }
            for (sum, run) in S::as_mut_simd_f32s(sums).0.iter_mut().zip(S::as_simd_f32s(run).0) {
                *sum = simd.add_f32s(*sum, *run);
            }
        }
        for (group, sums) in sums.chunks(GROUP * wide).enumerate() {
            self.write(S::F32_LANES, group, &columns, sums);
        }
        self.memory = memory;
    }

    /// Adds a run of terms to the sums of a group of rows, for the columns from `from` on. For each pair of vectors of
    /// columns, the sums have the pairs of all rows.
    #[inline(always)]
    fn add<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        group: usize,
        terms: &Range<usize>,
        from: usize,
        run: &mut [f32],
    ) {
        let run = S::as_mut_simd_f32s(run).0.as_chunks_mut::<2>().0.as_chunks_mut::<ROWS>().0;
        let mut x: [&[f32]; ROWS] = [&[]; ROWS];
        let mut r = 0;
        while r < ROWS {
            x[r] = &self.x[(group * GROUP + r) * self.d_in..][..self.d_in];
            r += 1;
        }
        let mut at = terms.start;
        while at + BESIDE <= terms.end {
            self.step::<S, ROWS, BESIDE>(simd, x, at, from, run);
            at += BESIDE;
        }
        while at < terms.end {
            self.step::<S, ROWS, 1>(simd, x, at, from, run);
            at += 1;
        }
    }

    /// Adds some terms, from `at` on.
    #[inline(always)]
    fn step<S: Simd, const ROWS: usize, const TERMS: usize>(
        &self,
        simd: S,
        x: [&[f32]; ROWS],
        at: usize,
        from: usize,
        run: &mut [[[S::f32s; 2]; ROWS]],
    ) {
        let mut weights: [&[T::Pair<S>]; TERMS] = [&[]; TERMS];
        let mut own = [[simd.splat_f32s(0.0); TERMS]; ROWS];
        let mut t = 0;
        while t < TERMS {
            weights[t] = &T::pairs::<S>(&self.weight[(at + t) * self.stride + from..])[..run.len()];
            let mut r = 0;
            while r < ROWS {
                own[r][t] = simd.splat_f32s(x[r][at + t]);
                r += 1;
            }
            t += 1;
        }
        for (column, sums) in run.iter_mut().enumerate() {
            let mut pairs = [[own[0][0]; 2]; TERMS];
            let mut t = 0;
            while t < TERMS {
                pairs[t] = T::split(simd, weights[t][column]);
                t += 1;
            }
            let mut r = 0;
            while r < ROWS {
                let mut t = 0;
                while t < TERMS {
                    sums[r][0] = simd.mul_add_f32s(own[r][t], pairs[t][0], sums[r][0]);
                    sums[r][1] = simd.mul_add_f32s(own[r][t], pairs[t][1], sums[r][1]);
                    t += 1;
                }
                r += 1;
            }
        }
    }

    /// Writes the sums of a group of rows.
    fn write(&mut self, lanes: usize, group: usize, columns: &Range<usize>, sums: &[f32]) {
        let rows = sums.len() / columns.len();
        for (r, out) in self.out[group * GROUP..][..rows].iter_mut().enumerate() {
            let out = &mut out[columns.clone()];
            let pairs = sums.chunks_exact(2 * lanes).skip(r).step_by(rows);
            out.chunks_exact_mut(2 * lanes).zip(pairs).for_each(|(out, pair)| T::unsplit(pair, out));
            if let Some(bias) = self.bias {
                out.iter_mut().zip(&bias[columns.clone()]).for_each(|(out, bias)| *out += bias);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::slice::HalfFloatSliceExt as _;
    use half::{bf16, f16};

    use crate::{Matrix, Numbers, Order, Product, multiply};

    const D_IN: usize = 301;

    fn number(at: usize) -> f32 {
        ((at * 7919) % 1009) as f32 / 1009.0 - 0.5
    }

    fn bits(x: &[f32], numbers: Numbers<'_>, d_out: usize, stride: usize, bias: Option<&[f32]>) -> Vec<u32> {
        let weight = Matrix { numbers, shape: [D_IN, d_out], order: Order::Rows(stride) };
        let mut out = vec![0.0; x.len() / D_IN * d_out];
        multiply(x, vec![Product { weight, bias, out: &mut out }]);
        out.iter().map(|x| x.to_bits()).collect()
    }

    /// Strides that are whole words or not, columns that are whole vectors or not, weights that begin with half a word. Beside
    /// many other rows, the same row goes through tiles.
    #[test]
    fn few_rows_have_the_bits_of_many_in_every_precision() {
        for (d_out, stride, skip) in [(96, 96, 0), (2500, 2512, 0), (83, 96, 0), (64, 65, 0), (64, 66, 1), (20, 20, 0)]
        {
            let numbers: Vec<f32> = (0..=D_IN * stride).map(|at| number(at + 5)).collect();
            let brain: Vec<bf16> = numbers.iter().copied().map(bf16::from_f32).collect();
            let half: Vec<f16> = numbers.iter().copied().map(f16::from_f32).collect();
            let wide: [Vec<f32>; 2] = [brain.to_f32_vec(), half.to_f32_vec()];
            let bias: Vec<f32> = (0..d_out).map(|at| number(at + 9)).collect();
            let x: Vec<f32> = (0..100 * D_IN).map(number).collect();
            for bias in [None, Some(bias.as_slice())] {
                let of = |rows: usize, numbers| bits(&x[..rows * D_IN], numbers, d_out, stride, bias);
                let many = [&numbers, &wide[0], &wide[1]].map(|wide| of(100, Numbers::F32(&wide[skip..])));
                for rows in [1, 2, 5, 7, 16, 33, 100] {
                    let all =
                        [Numbers::F32(&numbers[skip..]), Numbers::BF16(&brain[skip..]), Numbers::F16(&half[skip..])];
                    for (many, numbers) in many.iter().zip(all) {
                        assert!(of(rows, numbers) == many[..rows * d_out], "{rows} {d_out} {stride}");
                    }
                }
            }
        }
    }
}
