//! A single row times a matrix whose rows are contiguous: all columns at once, so that memory is read in long stretches.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Simd, WithSimd};

use crate::place::{Place, RUN, Weights};

/// Columns at a time: their sums stay next to the core.
pub(crate) const WIDE: usize = 2048;

/// Rows of the matrix that are read side by side.
const BESIDE: usize = 4;

/// A row times up to [`WIDE`] columns, whole vectors. The terms of each sum have the order that tiles give them.
pub(crate) struct SingleRow<'a, 'o> {
    pub(crate) x: &'a [f32],
    pub(crate) weights: Weights<'a>,
    pub(crate) place: Place<'a>,
    /// Two rows of [`WIDE`] numbers.
    pub(crate) memory: &'o mut [f32],
    pub(crate) out: &'o mut [f32],
}

impl WithSimd for SingleRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weights, place, memory, out } = self;
        let (run, sums) = memory.split_at_mut(WIDE);
        let (run, sums) = (S::as_mut_simd_f32s(&mut run[..place.width]).0, &mut sums[..place.width]);
        sums.fill(0.0);
        for (at, x) in x.chunks(RUN).enumerate() {
            run.fill(simd.splat_f32s(0.0));
            let numbers = &weights.numbers[at * RUN * weights.stride..];
            add::<S>(simd, x, Weights { numbers, ..weights }, run);
            for (sum, run) in S::as_mut_simd_f32s(sums).0.iter_mut().zip(&*run) {
                *sum = simd.add_f32s(*sum, *run);
            }
        }
        for (at, (out, sum)) in out[place.from..].iter_mut().zip(&*sums).enumerate() {
            let sum = if place.first { *sum } else { *out + sum };
            *out = place.bias.map_or(sum, |bias| sum + bias[place.from + at]);
        }
    }
}

/// Adds the terms of one run.
#[inline(always)]
fn add<S: Simd>(simd: S, x: &[f32], weights: Weights<'_>, run: &mut [S::f32s]) {
    let row = |at: usize| &S::as_simd_f32s(&weights.numbers[at * weights.stride..]).0[..run.len()];
    let whole = x.len() / BESIDE * BESIDE;
    let rows: Vec<&[S::f32s]> = (0..x.len()).map(row).collect();
    for (x, rows) in x.chunks_exact(BESIDE).zip(rows.chunks_exact(BESIDE)) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| simd.splat_f32s(x[at]));
        let own = rows[0].iter().zip(rows[1]).zip(rows[2]).zip(rows[3]);
        for (sum, (((first, second), third), fourth)) in run.iter_mut().zip(own) {
            let half = simd.mul_add_f32s(b, *second, simd.mul_add_f32s(a, *first, *sum));
            *sum = simd.mul_add_f32s(d, *fourth, simd.mul_add_f32s(c, *third, half));
        }
    }
    for (x, row) in x[whole..].iter().zip(&rows[whole..]) {
        let x = simd.splat_f32s(*x);
        for (sum, weight) in run.iter_mut().zip(*row) {
            *sum = simd.mul_add_f32s(x, *weight, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Matrix, Numbers, Order, Product, multiply};

    /// Beside another row, the same row goes through tiles.
    #[test]
    fn a_row_alone_has_the_bits_of_a_row_beside_others() {
        let number = |at: usize| ((at * 7919) % 1009) as f32 / 1009.0 - 0.5;
        for (d_in, d_out, stride) in [(5, 48, 48), (300, 2200, 2208), (1500, 96, 112), (129, 4200, 4208)] {
            let x: Vec<f32> = (0..2 * d_in).map(number).collect();
            let numbers: Vec<f32> = (0..d_in * stride).map(|at| number(at + 5)).collect();
            let weight = Matrix { numbers: Numbers::F32(&numbers), shape: [d_in, d_out], order: Order::Rows(stride) };
            let bias: Vec<f32> = (0..d_out).map(|at| number(at + 9)).collect();
            for bias in [None, Some(bias.as_slice())] {
                let (mut both, mut alone) = (vec![0.0; 2 * d_out], vec![0.0; d_out]);
                multiply(&x, vec![Product { weight, bias, out: &mut both }]);
                multiply(&x[..d_in], vec![Product { weight, bias, out: &mut alone }]);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&alone), bits(&both[..d_out]), "{d_in} {d_out}");
            }
        }
    }
}
