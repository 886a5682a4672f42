//! Sums over a row, and its largest number.
//!
//! The order of a sum depends on the length of the row and the width of the vectors alone. Zeros at the end of a row do
//! not change its sum.

use pulp::Simd;

use super::{Lanes, OfOne};

impl<S: Simd> Lanes<S> {
    /// The sum of the numbers.
    #[inline(always)]
    pub(in crate::kernels) fn sum(self, x: &[f32]) -> f32 {
        self.sum_of(x, x, |sum, x, _| self.add(sum, x))
    }

    /// The sum of the products.
    #[inline(always)]
    pub(in crate::kernels) fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        self.sum_of(a, b, |sum, a, b| self.fma(a, b, sum))
    }

    /// The sum of a function of the numbers.
    #[inline(always)]
    pub(in crate::kernels) fn sum_each(self, function: impl OfOne, x: &[f32]) -> f32 {
        let (body, tail) = S::as_simd_f32s(x);
        let (body, rest) = body.as_chunks::<4>();
        let mut sums = [self.all(0.0); 4];
        for x in body {
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = self.add(*sum, function.at(self, *x));
            }
        }
        for x in rest {
            sums[0] = self.add(sums[0], function.at(self, *x));
        }
        if !tail.is_empty() {
            // The lanes beyond the end hold the function of nothing, so they are stored nowhere.
            let mut held = [0.0; 16];
            let held = &mut held[..tail.len()];
            self.0.partial_store_f32s(held, function.at(self, self.0.partial_load_f32s(tail)));
            sums[1] = self.add(sums[1], self.0.partial_load_f32s(held));
        }
        self.0.reduce_sum_f32s(self.add(self.add(sums[0], sums[1]), self.add(sums[2], sums[3])))
    }

    /// The largest number. NaN may be passed over.
    #[inline(always)]
    pub(in crate::kernels) fn max(self, x: &[f32]) -> f32 {
        let (body, tail) = S::as_simd_f32s(x);
        let least = self.all(f32::NEG_INFINITY);
        let most = body.iter().fold(least, |most, x| self.0.max_f32s(*x, most));
        tail.iter().fold(self.0.reduce_max_f32s(most), |most, x| most.max(*x))
    }

    /// Four sums at a time, because an addition takes four cycles.
    #[inline(always)]
    fn sum_of(self, a: &[f32], b: &[f32], add: impl Fn(S::f32s, S::f32s, S::f32s) -> S::f32s) -> f32 {
        let ((a, a_tail), (b, b_tail)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
        let zero = self.all(0.0);
        let (mut first, mut second, mut third, mut fourth) = (zero, zero, zero, zero);
        for (a, b) in a.iter().zip(b) {
            first = add(first, a[0], b[0]);
            second = add(second, a[1], b[1]);
            third = add(third, a[2], b[2]);
            fourth = add(fourth, a[3], b[3]);
        }
        for (a, b) in a_rest.iter().zip(b_rest) {
            first = add(first, *a, *b);
        }
        if !a_tail.is_empty() {
            second = add(second, self.0.partial_load_f32s(a_tail), self.0.partial_load_f32s(b_tail));
        }
        self.0.reduce_sum_f32s(self.add(self.add(first, second), self.add(third, fourth)))
    }
}
