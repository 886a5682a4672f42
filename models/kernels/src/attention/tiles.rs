//! Rows times vectors of columns, a tile at a time.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use pulp::{Simd, WithSimd};

use crate::place::{Place, Weights};
use crate::tile::tile;

/// Rows times a panel of keys.
pub(super) struct ProductTiles<'a, 'o, 'r> {
    pub(super) x: &'a [&'a [f32]],
    pub(super) weights: Weights<'a>,
    pub(super) place: Place<'a>,
    pub(super) out: &'o mut [&'r mut [f32]],
}

impl WithSimd for ProductTiles<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 8, 3>(simd) } else { self.run::<S, 6, 2>(simd) }
    }
}

impl ProductTiles<'_, '_, '_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let Self { x, weights, place, out } = self;
        let wide = VECTORS * S::F32_LANES;
        let mut at = 0;
        while at < place.width {
            let numbers = &weights.numbers[at..];
            let place = Place { from: place.from + at, width: wide.min(place.width - at), ..place };
            rows::<S, ROWS, VECTORS>(simd, x, Weights { numbers, stride: weights.stride }, &place, out);
            at += wide;
        }
    }
}

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
        rows::<S, 6, VECTORS>(simd, self.x, weights, &place, self.out);
        wide
    }
}

/// All rows, some at a time.
#[inline(always)]
fn rows<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    x: &[&[f32]],
    weights: Weights<'_>,
    place: &Place<'_>,
    out: &mut [&mut [f32]],
) {
    let mut at = 0;
    while at + ROWS <= out.len() {
        tile::<S, ROWS, VECTORS, false>(simd, some(x, at), weights, place, &mut out[at..at + ROWS]);
        at += ROWS;
    }
    macro_rules! rest {
        ($($rows:literal)*) => {
            $(if out.len() - at == $rows && $rows < ROWS {
                tile::<S, $rows, VECTORS, false>(simd, some(x, at), weights, place, &mut out[at..]);
            })*
        };
    }
    rest!(1 2 3 4 5 6 7);
}

/// Some rows, of a length that the compiler sees to be one.
#[inline(always)]
fn some<'a, const ROWS: usize>(x: &[&'a [f32]], at: usize) -> [&'a [f32]; ROWS] {
    let length = x[at].len();
    let mut rows = [x[at]; ROWS];
    let mut r = 1;
    while r < ROWS {
        rows[r] = &x[at + r][..length];
        r += 1;
    }
    rows
}
