//! The distribution function of the standard normal distribution.

use pulp::Simd;

use super::Lanes;

impl<S: Simd> Lanes<S> {
    /// `Φ(x) = (1 + erf(x / √2)) / 2`, relatively exact for negative numbers too.
    #[inline(always)]
    pub(in crate::kernels) fn normal_cdf(self, x: S::f32s) -> S::f32s {
        let size = self.abs(x);
        let tail = self.normal_tail(self.if_less(self.all(15.0), size, self.all(15.0), size));
        let outer = self.if_less(x, self.all(0.0), tail, self.sub(self.all(1.0), tail));
        self.if_less(size, self.all(1.0), self.normal_cdf_of_small(x), outer)
    }

    /// `exp(-x²/2) / √(2π)`.
    #[inline(always)]
    pub(in crate::kernels) fn normal_density(self, x: S::f32s) -> S::f32s {
        self.mul(self.gaussian(x), self.all(0.398_942_3))
    }

    /// `exp(-x²/2)`. The square is taken with its rounding error, because `exp` magnifies it.
    #[inline(always)]
    fn gaussian(self, x: S::f32s) -> S::f32s {
        let half = self.mul(x, self.all(-0.5));
        let square = self.mul(x, half);
        let error = self.fma(x, half, self.neg(square));
        let exp = self.exp(square);
        self.fma(exp, error, exp)
    }

    /// `1 - Φ(x)` for `1 <= x <= 15`: `exp(-x²/2) P(t) / (1 + 2x)` with `t = (x - 3) / (x + 3)`, after Shepherd and
    /// Laframboise (1981). The coefficients are a minimax fit; its relative error is 2.2e-8.
    #[inline(always)]
    fn normal_tail(self, x: S::f32s) -> S::f32s {
        const C: [f32; 9] = [
            0.850_597_6,
            0.013_349_096,
            -0.156_088_4,
            0.136_540_87,
            -0.051_597_323,
            -0.000_577_657_2,
            0.006_985_261,
            -0.000_392_200_43,
            -0.000_999_373,
        ];
        let t = self.div(self.sub(x, self.all(3.0)), self.add(x, self.all(3.0)));
        let numerator = self.mul(self.gaussian(x), self.polynomial(t, C));
        self.div(numerator, self.fma(x, self.all(2.0), self.all(1.0)))
    }

    /// `0.5 + x P(x²)` for `|x| <= 1`. The coefficients are a minimax fit; its relative error is 3e-9.
    #[inline(always)]
    fn normal_cdf_of_small(self, x: S::f32s) -> S::f32s {
        const C: [f32; 6] = [0.398_942_3, -0.066_490_54, 0.009_974_163, -0.001_188_02, 0.000_115_018_85, -8.169_579e-6];
        self.fma(x, self.polynomial(self.mul(x, x), C), self.all(0.5))
    }
}
