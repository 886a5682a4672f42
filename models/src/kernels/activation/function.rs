//! Functions with a slope, and what is made of them.

use pulp::Simd;

use crate::kernels::lanes::{Lanes, OfOne, OfTwo};

/// A function of one number and its slope.
pub(super) trait Smooth: Copy {
    /// `f(x)`
    fn value<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s;

    /// `f'(x)`
    fn slope<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s;
}

/// `f(x)`
#[derive(Clone, Copy)]
pub(super) struct Value<F>(pub(super) F);

impl<F: Smooth> OfOne for Value<F> {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        self.0.value(lanes, x)
    }
}

/// `f(x) factor` of `x` and `factor`
#[derive(Clone, Copy)]
pub(super) struct ValueTimes<F>(pub(super) F);

impl<F: Smooth> OfTwo for ValueTimes<F> {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s, factor: S::f32s) -> S::f32s {
        lanes.mul(self.0.value(lanes, x), factor)
    }
}

/// `f'(x) factor` of `factor` and `x`
#[derive(Clone, Copy)]
pub(super) struct SlopeTimes<F>(pub(super) F);

impl<F: Smooth> OfTwo for SlopeTimes<F> {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, factor: S::f32s, x: S::f32s) -> S::f32s {
        lanes.mul(self.0.slope(lanes, x), factor)
    }
}
