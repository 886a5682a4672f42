//! Some rows times some vectors of columns, in the registers of a core.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::place::{Place, RUN, Weights};

/// Lanes of the widest vector are added up in so many steps.
const HALVES: usize = 4;

/// Rows that tiles read.
pub(crate) trait TileRows {
    /// Some of them, from row `at`, of a length that the compiler sees to be one.
    fn some<const ROWS: usize>(&self, at: usize) -> [&[f32]; ROWS];
}

/// A part of the inner axis of rows that lie one after another.
pub(crate) struct Flat<'a> {
    /// `[rows, d_in]`
    pub(crate) numbers: &'a [f32],
    pub(crate) d_in: usize,
    pub(crate) depth: Range<usize>,
}

impl TileRows for Flat<'_> {
    #[inline(always)]
    fn some<const ROWS: usize>(&self, at: usize) -> [&[f32]; ROWS] {
        let mut rows = [self.numbers; ROWS];
        let mut r = 0;
        while r < ROWS {
            let start = (at + r) * self.d_in;
            rows[r] = &self.numbers[start + self.depth.start..start + self.depth.end];
            r += 1;
        }
        rows
    }
}

impl TileRows for &[&[f32]] {
    #[inline(always)]
    fn some<const ROWS: usize>(&self, at: usize) -> [&[f32]; ROWS] {
        let length = self[at].len();
        let mut rows = [self[at]; ROWS];
        let mut r = 1;
        while r < ROWS {
            rows[r] = &self[at + r][..length];
            r += 1;
        }
        rows
    }
}

/// All rows times the columns of a place. With `BY_LANE`, rows and weights lie as [`crate::by_lane`] says.
pub(crate) struct Tiles<'r, 'o, X, const BY_LANE: bool> {
    pub(crate) x: X,
    pub(crate) weights: Weights<'o>,
    pub(crate) place: Place<'o>,
    pub(crate) out: &'o mut [&'r mut [f32]],
}

impl<X: TileRows, const BY_LANE: bool> WithSimd for Tiles<'_, '_, X, BY_LANE> {
    type Output = ();

    /// The sizes of a tile follow from the number of registers: most hold sums, and what is left holds weights.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 8, 3>(simd) } else { self.run::<S, 6, 2>(simd) }
    }
}

impl<X: TileRows, const BY_LANE: bool> Tiles<'_, '_, X, BY_LANE> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let Self { x, weights, place, out } = self;
        let wide = VECTORS * S::F32_LANES;
        let mut at = 0;
        while at < place.width {
            let numbers = &weights.numbers[at..];
            let place = Place { from: place.from + at, width: wide.min(place.width - at), ..place };
            let weights = Weights { numbers, stride: weights.stride };
            rows::<S, ROWS, VECTORS, BY_LANE>(simd, &x, weights, &place, out);
            at += wide;
        }
    }
}

/// All rows times the vectors of one tile.
#[inline(always)]
pub(crate) fn rows<S: Simd, const ROWS: usize, const VECTORS: usize, const BY_LANE: bool>(
    simd: S,
    x: &impl TileRows,
    weights: Weights<'_>,
    place: &Place<'_>,
    out: &mut [&mut [f32]],
) {
    let mut at = 0;
    while at + ROWS <= out.len() {
        tile::<S, ROWS, VECTORS, BY_LANE>(simd, x.some(at), weights, place, &mut out[at..at + ROWS]);
        at += ROWS;
    }
    macro_rules! rest {
        ($($rows:literal)*) => {
            $(if out.len() - at == $rows && $rows < ROWS {
                tile::<S, $rows, VECTORS, BY_LANE>(simd, x.some(at), weights, place, &mut out[at..]);
            })*
        };
    }
    rest!(1 2 3 4 5 6 7);
}

/// Some rows times some vectors of columns. The order of the terms of each sum depends on the length of the inner axis
/// alone.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize, const BY_LANE: bool>(
    simd: S,
    x: [&[f32]; ROWS],
    weights: Weights<'_>,
    place: &Place<'_>,
    out: &mut [&mut [f32]],
) {
    let mut before = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let mut r = 0;
    while r < ROWS && !place.first {
        load(simd, &mut before[r], &out[r][place.from..place.from + place.width]);
        r += 1;
    }
    let sums = if BY_LANE {
        let mut sums = by_lane::<S, ROWS, VECTORS>(simd, x, weights);
        if !place.first {
            add::<S, ROWS, VECTORS>(simd, &mut sums, &before);
        }
        sums
    } else {
        in_runs::<S, ROWS, VECTORS>(simd, x, weights, before)
    };
    let mut r = 0;
    while r < ROWS {
        store(simd, &sums[r], place, &mut out[r][place.from..place.from + place.width]);
        r += 1;
    }
}

/// Adds the sums of runs of terms, one run after another.
#[inline(always)]
fn in_runs<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    weights: Weights<'_>,
    mut sums: [[S::f32s; VECTORS]; ROWS],
) -> [[S::f32s; VECTORS]; ROWS] {
    let depth = x[0].len();
    let mut at = 0;
    while at < depth {
        let stop = if depth < at + RUN { depth } else { at + RUN };
        let run = run::<S, ROWS, VECTORS>(simd, x, weights, at..stop);
        add::<S, ROWS, VECTORS>(simd, &mut sums, &run);
        at = stop;
    }
    sums
}

/// The sum of a run for each lane, added up as the lanes of a vector are: halves first. The runs lie in the order in which
/// that needs them.
#[inline(always)]
fn by_lane<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    weights: Weights<'_>,
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut halves = [[[simd.splat_f32s(0.0); VECTORS]; ROWS]; HALVES];
    let steps = x[0].len() / S::F32_LANES;
    let mut lane = 0;
    loop {
        let mut sums = run::<S, ROWS, VECTORS>(simd, x, weights, lane * steps..(lane + 1) * steps);
        let mut half = 0;
        while half < HALVES && (lane >> half) & 1 == 1 {
            add::<S, ROWS, VECTORS>(simd, &mut sums, &halves[half]);
            half += 1;
        }
        lane += 1;
        if lane == S::F32_LANES {
            return sums;
        }
        halves[half] = sums;
    }
}

#[inline(always)]
fn add<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    sums: &mut [[S::f32s; VECTORS]; ROWS],
    others: &[[S::f32s; VECTORS]; ROWS],
) {
    let mut r = 0;
    while r < ROWS {
        let mut v = 0;
        while v < VECTORS {
            sums[r][v] = simd.add_f32s(sums[r][v], others[r][v]);
            v += 1;
        }
        r += 1;
    }
}

/// The sum of some terms, one after another.
#[inline(always)]
fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    weights: Weights<'_>,
    terms: Range<usize>,
) -> [[S::f32s; VECTORS]; ROWS] {
    let (stride, weights) = (weights.stride / S::F32_LANES, S::as_simd_f32s(weights.numbers).0);
    let mut run = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let mut at = terms.start;
    while at < terms.end {
        let mut row = run[0];
        let mut v = 0;
        while v < VECTORS {
            row[v] = weights[at * stride + v];
            v += 1;
        }
        let mut r = 0;
        while r < ROWS {
            let x = simd.splat_f32s(x[r][at]);
            let mut v = 0;
            while v < VECTORS {
                run[r][v] = simd.mul_add_f32s(x, row[v], run[r][v]);
                v += 1;
            }
            r += 1;
        }
        at += 1;
    }
    run
}

#[inline(always)]
fn load<S: Simd, const VECTORS: usize>(simd: S, sums: &mut [S::f32s; VECTORS], out: &[f32]) {
    let mut v = 0;
    while v < VECTORS && v * S::F32_LANES < out.len() {
        let from = v * S::F32_LANES;
        sums[v] = simd.partial_load_f32s(&out[from..out.len().min(from + S::F32_LANES)]);
        v += 1;
    }
}

#[inline(always)]
fn store<S: Simd, const VECTORS: usize>(simd: S, sums: &[S::f32s; VECTORS], place: &Place<'_>, out: &mut [f32]) {
    let mut v = 0;
    while v < VECTORS && v * S::F32_LANES < out.len() {
        let from = v * S::F32_LANES;
        let end = out.len().min(from + S::F32_LANES);
        let mut sum = sums[v];
        if let Some(bias) = place.bias {
            sum = simd.add_f32s(sum, simd.partial_load_f32s(&bias[place.from + from..place.from + end]));
        }
        simd.partial_store_f32s(&mut out[from..end], sum);
        v += 1;
    }
}
