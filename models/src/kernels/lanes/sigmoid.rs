//! The logistic function `σ(z) = 1 / (1 + exp(-z))`.
//!
//! All of it is written in `exp(-|z|)`, which never overflows: `σ(|z|) = 1 / (1 + exp(-|z|))`, and `σ(-|z|)` is
//! `exp(-|z|)` times that.

use pulp::Simd;

use super::Lanes;

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    pub(in crate::kernels) fn sigmoid(self, z: S::f32s) -> S::f32s {
        self.times_sigmoid(self.all(1.0), z)
    }

    /// `x σ(z)`
    #[inline(always)]
    pub(in crate::kernels) fn times_sigmoid(self, x: S::f32s, z: S::f32s) -> S::f32s {
        let exp = self.exp_of_minus_size(z);
        let numerator = self.if_less(z, self.all(0.0), self.mul(x, exp), x);
        self.div(numerator, self.add(self.all(1.0), exp))
    }

    /// `σ'(z) = σ(z) σ(-z)`
    #[inline(always)]
    pub(in crate::kernels) fn sigmoid_slope(self, z: S::f32s) -> S::f32s {
        let exp = self.exp_of_minus_size(z);
        let sum = self.add(self.all(1.0), exp);
        self.div(exp, self.mul(sum, sum))
    }

    #[inline(always)]
    fn exp_of_minus_size(self, z: S::f32s) -> S::f32s {
        self.exp(self.neg(self.abs(z)))
    }
}
