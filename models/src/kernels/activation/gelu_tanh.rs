//! GELU's tanh approximation, `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2` (Hendrycks and Gimpel, 2016).
//!
//! It equals `x σ(2 √(2/π) (x + 0.044715 x³))`, where no digit of small numbers is lost.

use pulp::Simd;

use super::function::Smooth;
use crate::kernels::lanes::Lanes;

/// `2 √(2/π)`
const LINEAR: f32 = 1.595_769;

/// `2 √(2/π) 0.044715`
const CUBIC: f32 = 0.071_354_814;

#[derive(Clone, Copy)]
pub(super) struct GeluTanh;

impl GeluTanh {
    /// What the sigmoid is taken of.
    #[inline(always)]
    fn inner<S: Simd>(lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.mul(x, lanes.fma(lanes.mul(x, x), lanes.all(CUBIC), lanes.all(LINEAR)))
    }
}

impl Smooth for GeluTanh {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.times_sigmoid(x, Self::inner(lanes, x))
    }

    /// `σ(z) + x z' σ(z) σ(-z)`
    #[inline(always)]
    fn slope<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        let z = Self::inner(lanes, x);
        // An infinite number times a slope of zero is not a number.
        let near = lanes.if_less(lanes.all(30.0), lanes.abs(x), lanes.all(0.0), x);
        let z_slope = lanes.fma(lanes.mul(near, near), lanes.all(3.0 * CUBIC), lanes.all(LINEAR));
        lanes.fma(lanes.mul(near, z_slope), lanes.sigmoid_slope(z), lanes.sigmoid(z))
    }
}
