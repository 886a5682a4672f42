//! `x Φ(x)` (Hendrycks and Gimpel, 2016).

use pulp::Simd;

use super::function::Smooth;
use crate::kernels::lanes::Lanes;

#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl Smooth for Gelu {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.mul(x, lanes.normal_cdf(x))
    }

    /// `Φ(x) + x φ(x)`
    #[inline(always)]
    fn slope<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        // An infinite number times a density of zero is not a number.
        let near = lanes.if_less(lanes.all(30.0), lanes.abs(x), lanes.all(0.0), x);
        lanes.fma(near, lanes.normal_density(near), lanes.normal_cdf(x))
    }
}
