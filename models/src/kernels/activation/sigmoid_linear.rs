//! `x σ(k x)`: `SiLU` with `k = 1` (Elfwing et al., 2018), `QuickGELU` with `k = 1.702` (Hendrycks and Gimpel, 2016).

use pulp::Simd;

use super::function::Smooth;
use crate::kernels::lanes::Lanes;

/// The function with this `k`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigmoidLinear(pub(super) f32);

impl Smooth for SigmoidLinear {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.times_sigmoid(x, lanes.mul(x, lanes.all(self.0)))
    }

    /// `σ(z) + z σ(z) σ(-z)` with `z = k x`
    #[inline(always)]
    fn slope<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        let z = lanes.mul(x, lanes.all(self.0));
        // An infinite number times a slope of zero is not a number.
        let near = lanes.if_less(lanes.all(200.0), lanes.abs(z), lanes.all(0.0), z);
        lanes.fma(near, lanes.sigmoid_slope(z), lanes.sigmoid(z))
    }
}
