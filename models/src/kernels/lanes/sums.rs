//! Sums over a row, and its largest number.
//!
//! The order of a sum depends on the length of the row and the width of the vectors alone. Zeros at the end of a row do
//! not change its sum.

use pulp::Simd;

use super::Lanes;

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
