//! `tanh(x)`.

use pulp::Simd;

use super::function::Smooth;
use crate::kernels::lanes::Lanes;

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl Smooth for Tanh {
    #[inline(always)]
    fn value<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.tanh(x)
    }

    /// `1 - tanh²(x) = 4 σ(2x) σ(-2x)`, where no digit of small numbers is lost.
    #[inline(always)]
    fn slope<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.mul(lanes.sigmoid_slope(lanes.add(x, x)), lanes.all(4.0))
    }
}
