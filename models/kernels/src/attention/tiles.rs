//! Rows of a pattern times values, a tile at a time.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Simd, WithSimd};

use crate::place::{Place, Weights};
use crate::tile::rows;

/// Rows of a pattern times all numbers of the values.
pub(super) struct MeanTiles<'a, 'o, 'r> {
    pub(super) x: &'a [&'a [f32]],
    pub(super) weights: Weights<'a>,
    pub(super) width: usize,
    pub(super) out: &'o mut [&'r mut [f32]],
}

impl WithSimd for MeanTiles<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut from = 0;
        while from < self.width {
            let vectors = (self.width - from).div_ceil(S::F32_LANES);
            from += if S::REGISTER_COUNT >= 32 && vectors >= 4 {
                self.columns::<S, 4>(simd, from)
            } else if S::REGISTER_COUNT >= 32 && vectors == 3 {
                self.columns::<S, 3>(simd, from)
            } else if vectors >= 2 {
                self.columns::<S, 2>(simd, from)
            } else {
                self.columns::<S, 1>(simd, from)
            };
        }
    }
}

impl MeanTiles<'_, '_, '_> {
    /// Some vectors of columns. Returns how many columns these are.
    #[inline(always)]
    fn columns<S: Simd, const VECTORS: usize>(&mut self, simd: S, from: usize) -> usize {
        let wide = VECTORS * S::F32_LANES;
        let place = Place { from, width: wide.min(self.width - from), first: true, bias: None };
        let weights = Weights { numbers: &self.weights.numbers[from..], stride: self.weights.stride };
        rows::<S, 6, VECTORS, false>(simd, &self.x, weights, &place, self.out);
        wide
    }
}
