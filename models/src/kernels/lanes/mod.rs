//! Arithmetic on vectors of float32, whatever their width.
//!
//! [`Lanes`] shortens the names of `pulp::Simd`. Everything here is inlined into the one function that `pulp` compiles
//! for each instruction set, so it is fast at any `opt-level` but 0.

mod arithmetic;
mod each;
mod exp;
mod normal;
mod sigmoid;
mod sums;
mod tanh;

use pulp::{Arch, Simd, WithSimd};

pub(super) use arithmetic::{Minus, Over, OverTimes, Plus, Times, TimesPlus};
#[cfg(test)]
pub(super) use each::Each;
pub(super) use each::{OfOne, OfTwo, each, each_with};

/// One instruction set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes<S>(pub(super) S);

/// Does the work in the widest vectors of this CPU.
pub(super) fn in_vectors<W: WithSimd>(work: W) -> W::Output {
    Arch::new().dispatch(work)
}

#[allow(clippy::unused_self, reason = "called as the other operations are")]
impl<S: Simd> Lanes<S> {
    /// `x` in every lane. Written out, because `splat` is a call where it is not inlined, several to each vector.
    #[inline(always)]
    pub(super) fn all(self, x: f32) -> S::f32s {
        pulp::cast_lossy([x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x])
    }

    /// The same bits in every lane.
    #[inline(always)]
    fn all_bits(self, x: u32) -> S::u32s {
        pulp::cast_lossy([x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x])
    }

    #[inline(always)]
    pub(super) fn add(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.add_f32s(a, b)
    }

    #[inline(always)]
    pub(super) fn sub(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.sub_f32s(a, b)
    }

    #[inline(always)]
    pub(super) fn mul(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.mul_f32s(a, b)
    }

    #[inline(always)]
    pub(super) fn div(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.div_f32s(a, b)
    }

    /// `a b + c`, rounded once.
    #[inline(always)]
    pub(super) fn fma(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        self.0.mul_add_f32s(a, b, c)
    }

    #[inline(always)]
    pub(super) fn abs(self, a: S::f32s) -> S::f32s {
        self.0.abs_f32s(a)
    }

    #[inline(always)]
    pub(super) fn neg(self, a: S::f32s) -> S::f32s {
        self.0.neg_f32s(a)
    }

    /// `then` where `a < b`, else `other`; also where one of them is NaN.
    #[inline(always)]
    pub(super) fn if_less(self, a: S::f32s, b: S::f32s, then: S::f32s, other: S::f32s) -> S::f32s {
        self.0.select_f32s(self.0.less_than_f32s(a, b), then, other)
    }

    /// `x` with the sign of `sign`; `x` is not negative.
    #[inline(always)]
    fn signed(self, x: S::f32s, sign: S::f32s) -> S::f32s {
        let s = self.0;
        let sign = s.and_u32s(s.transmute_u32s_f32s(sign), self.all_bits(0x8000_0000));
        s.transmute_f32s_u32s(s.or_u32s(s.transmute_u32s_f32s(x), sign))
    }

    /// `c[0] + c[1] x + c[2] x² + ..`
    #[inline(always)]
    fn polynomial<const N: usize>(self, x: S::f32s, c: [f32; N]) -> S::f32s {
        let mut sum = self.all(c[N - 1]);
        for c in c[..N - 1].iter().rev() {
            sum = self.fma(sum, x, self.all(*c));
        }
        sum
    }
}
