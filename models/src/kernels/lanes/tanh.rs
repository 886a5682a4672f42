//! `tanh`.

use pulp::Simd;

use super::Lanes;

impl<S: Simd> Lanes<S> {
    /// `tanh(x)`, within 1.5 ulp.
    #[inline(always)]
    pub(in crate::kernels) fn tanh(self, x: S::f32s) -> S::f32s {
        let size = self.abs(x);
        let large = self.exp_m1(self.add(size, size));
        let large = self.sub(self.all(1.0), self.div(self.all(2.0), self.add(large, self.all(2.0))));
        let large = self.if_less(self.all(9.02), size, self.all(1.0), large);
        self.signed(self.if_less(size, self.all(0.625), self.tanh_of_small(size), large), x)
    }

    /// `x + x³ P(x²)` for `0 <= x <= 0.625`. The coefficients are a minimax fit; its relative error is 5e-9.
    #[inline(always)]
    fn tanh_of_small(self, x: S::f32s) -> S::f32s {
        const C: [f32; 5] = [-0.333_332_8, 0.133_314_06, -0.053_736_515, 0.020_628_167, -0.005_692_296_7];
        let square = self.mul(x, x);
        self.fma(self.mul(x, square), self.polynomial(square, C), x)
    }
}
