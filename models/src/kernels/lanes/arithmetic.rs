//! Arithmetic of each number with a constant, or with its partner in another row.

use pulp::Simd;

use super::{Lanes, OfOne, OfTwo};

/// `x - c`
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Minus(pub(in crate::kernels) f32);

impl OfOne for Minus {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.sub(x, lanes.all(self.0))
    }
}

/// `x / c`
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Over(pub(in crate::kernels) f32);

impl OfOne for Over {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.div(x, lanes.all(self.0))
    }
}

/// `(x / c) y`
#[derive(Clone, Copy)]
pub(in crate::kernels) struct OverTimes(pub(in crate::kernels) f32);

impl OfTwo for OverTimes {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s, y: S::f32s) -> S::f32s {
        lanes.mul(lanes.div(x, lanes.all(self.0)), y)
    }
}

/// `x + y`
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Plus;

impl OfTwo for Plus {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s, y: S::f32s) -> S::f32s {
        lanes.add(x, y)
    }
}

/// `x c`
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Times(pub(in crate::kernels) f32);

impl OfOne for Times {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s {
        lanes.mul(x, lanes.all(self.0))
    }
}

/// `x c + y`, rounded twice, as by two operations
#[derive(Clone, Copy)]
pub(in crate::kernels) struct TimesPlus(pub(in crate::kernels) f32);

impl OfTwo for TimesPlus {
    #[inline(always)]
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s, y: S::f32s) -> S::f32s {
        lanes.add(lanes.mul(x, lanes.all(self.0)), y)
    }
}
