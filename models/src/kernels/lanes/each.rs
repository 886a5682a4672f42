//! Functions applied number by number.
//!
//! They are traits, not closures: only a method can be marked as always inlined, and outside of the function that is
//! compiled for an instruction set its instructions are calls.

use pulp::{Simd, WithSimd};

use super::{Lanes, in_vectors};

/// A function of one number.
pub(in crate::kernels) trait OfOne: Copy {
    fn at<S: Simd>(self, lanes: Lanes<S>, x: S::f32s) -> S::f32s;
}

/// A function of two numbers.
pub(in crate::kernels) trait OfTwo: Copy {
    fn at<S: Simd>(self, lanes: Lanes<S>, a: S::f32s, b: S::f32s) -> S::f32s;
}

/// Overwrites `x` with the function of it.
pub(in crate::kernels) fn each(function: impl OfOne, x: &mut [f32]) {
    in_vectors(Each(function, x));
}

/// Overwrites `a` with the function of `a` and `b`.
pub(in crate::kernels) fn each_with(function: impl OfTwo, a: &mut [f32], b: &[f32]) {
    in_vectors(EachWith(function, a, b));
}

impl<S: Simd> Lanes<S> {
    /// [`each`] inside other work in vectors. The end of the slice is a vector too, filled up with zeros: the same code
    /// gives the same bits everywhere.
    #[inline(always)]
    pub(in crate::kernels) fn each(self, function: impl OfOne, x: &mut [f32]) {
        let (body, tail) = S::as_mut_simd_f32s(x);
        for x in body {
            *x = function.at(self, *x);
        }
        if !tail.is_empty() {
            let x = self.0.partial_load_f32s(tail);
            self.0.partial_store_f32s(tail, function.at(self, x));
        }
    }

    /// [`each_with`] inside other work in vectors.
    #[inline(always)]
    pub(in crate::kernels) fn each_with(self, function: impl OfTwo, a: &mut [f32], b: &[f32]) {
        let ((body, tail), (with, with_tail)) = (S::as_mut_simd_f32s(a), S::as_simd_f32s(b));
        for (a, b) in body.iter_mut().zip(with) {
            *a = function.at(self, *a, *b);
        }
        if !tail.is_empty() {
            let (a, b) = (self.0.partial_load_f32s(tail), self.0.partial_load_f32s(with_tail));
            self.0.partial_store_f32s(tail, function.at(self, a, b));
        }
    }
}

pub(in crate::kernels) struct Each<'a, F>(pub(in crate::kernels) F, pub(in crate::kernels) &'a mut [f32]);

impl<F: OfOne> WithSimd for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        Lanes(simd).each(self.0, self.1);
    }
}

struct EachWith<'a, F>(F, &'a mut [f32], &'a [f32]);

impl<F: OfTwo> WithSimd for EachWith<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        Lanes(simd).each_with(self.0, self.1, self.2);
    }
}
