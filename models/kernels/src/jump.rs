//! Steps at thresholds, and their straight-through gradients.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::memory::zeros;

/// Rows that are done together. It depends on nothing, so neither do the bits of a sum over them.
const ROWS: usize = 64;

/// `1[z > θ]`, or `z 1[z > θ]`, of rows of numbers `z` and a threshold `θ` for each column. The step has the slope of a ramp
/// of width `ε` around the threshold: with `rect` for `1[|z - θ| / ε < ½]`, the derivative with respect to `θ` is `-rect / ε`, or
/// `-(θ / ε) rect`.
#[derive(Clone, Copy, Debug)]
pub struct Jump {
    /// `ε`
    pub bandwidth: f32,
    /// Whether the ramp has a derivative with respect to `z` too: the opposite of that of `θ`.
    pub to_input: bool,
    /// Whether it is `z 1[z > θ]`.
    pub times_z: bool,
}

impl Jump {
    /// The values.
    ///
    /// # Panics
    ///
    /// If there are no thresholds.
    pub fn values(self, z: &[f32], thresholds: &[f32]) -> Vec<f32> {
        let mut out = zeros(z.len());
        let rows = ROWS * thresholds.len();
        out.par_chunks_mut(rows).zip(z.par_chunks(rows)).for_each(|(out, z)| {
            Arch::new().dispatch(Values { of: self, z, thresholds, out });
        });
        out
    }

    /// The gradient of `z`, in the place of that of the values, and that of the thresholds.
    ///
    /// # Panics
    ///
    /// If there are no thresholds.
    pub fn gradients(self, z: &[f32], thresholds: &[f32], gradient: &mut [f32]) -> Vec<f32> {
        let rows = ROWS * thresholds.len();
        let part = |(gradient, z): (&mut [f32], &[f32])| {
            let mut sums = vec![0.0; thresholds.len()];
            Arch::new().dispatch(Slopes { of: self, z, thresholds, gradient, sums: &mut sums });
            sums
        };
        let parts: Vec<Vec<f32>> = gradient.par_chunks_mut(rows).zip(z.par_chunks(rows)).map(part).collect();
        let mut sums = vec![0.0; thresholds.len()];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        sums
    }
}

struct Values<'a, 'o> {
    of: Jump,
    z: &'a [f32],
    thresholds: &'a [f32],
    out: &'o mut [f32],
}

impl WithSimd for Values<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.thresholds.len();
        for (out, z) in self.out.chunks_exact_mut(width).zip(self.z.chunks_exact(width)) {
            for ((out, z), threshold) in out.iter_mut().zip(z).zip(self.thresholds) {
                let value = if self.of.times_z { *z } else { 1.0 };
                // What is not a number stays.
                *out = if *z <= *threshold { 0.0 } else { value };
            }
        }
    }
}

struct Slopes<'a, 'o> {
    of: Jump,
    z: &'a [f32],
    thresholds: &'a [f32],
    gradient: &'o mut [f32],
    sums: &'o mut [f32],
}

impl WithSimd for Slopes<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (width, Jump { bandwidth, to_input, times_z }) = (self.thresholds.len(), self.of);
        for (gradient, z) in self.gradient.chunks_exact_mut(width).zip(self.z.chunks_exact(width)) {
            let columns = self.thresholds.iter().zip(self.sums.iter_mut());
            for ((gradient, z), (threshold, sum)) in gradient.iter_mut().zip(z).zip(columns) {
                let is_near = ((z - threshold) / bandwidth).abs() < 0.5;
                let height = if times_z { *threshold } else { 1.0 };
                let ramp = if is_near { *gradient * (height / bandwidth) } else { 0.0 };
                let through = if times_z && *z > *threshold { *gradient } else { 0.0 };
                *sum -= ramp;
                *gradient = if to_input { through + ramp } else { through };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_slopes_by_hand() {
        let (z, thresholds) = ([0.5, 1.1, 0.75, 2.0, 0.9, 1.5], [1.0, 1.0, 1.0]);
        let of = |times_z, to_input| Jump { bandwidth: 1.0, to_input, times_z };
        assert_eq!(of(true, false).values(&z, &thresholds), [0.0, 1.1, 0.0, 2.0, 0.0, 1.5]);
        assert_eq!(of(false, false).values(&z, &thresholds), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        // Within a half of the threshold, edges excluded: 1.1, 0.75, 0.9.
        let gradients = |jump: Jump| {
            let mut gradient = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            (jump.gradients(&z, &[1.0, 1.0, 1.0], &mut gradient), gradient)
        };
        assert_eq!(gradients(of(true, false)), (vec![0.0, -7.0, -3.0], [0.0, 2.0, 0.0, 4.0, 0.0, 6.0]));
        assert_eq!(gradients(of(false, false)), (vec![0.0, -7.0, -3.0], [0.0; 6]));
        assert_eq!(gradients(of(false, true)), (vec![0.0, -7.0, -3.0], [0.0, 2.0, 3.0, 0.0, 5.0, 0.0]));
        assert_eq!(gradients(of(true, true)).1, [0.0, 4.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(of(true, false).values(&[f32::NAN], &[0.0])[0].is_nan());
    }

    #[test]
    fn threads_change_no_bit() {
        let z: Vec<f32> = (0..300 * 9).map(|at| ((at * 7919) % 1009) as f32 / 500.0).collect();
        let jump = Jump { bandwidth: 0.7, to_input: true, times_z: true };
        let all = || {
            let mut gradient = z.clone();
            (jump.gradients(&z, &[1.0; 9], &mut gradient), gradient, jump.values(&z, &[1.0; 9]))
        };
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(all), all());
        }
    }
}
