//! Transposes a few columns into the rows of a panel.

#![allow(clippy::inline_always, reason = "everything is inlined into the function of one instruction set")]

use crate::place::GRAIN;

/// Columns that are transposed together.
pub(crate) const COLUMNS: usize = 8;

/// Writes number `i` of each column to row `runs[i % lanes] + i / lanes` of a panel, where `runs` has a number for each lane.
/// What fills the last vector of a column is 0.
pub(crate) fn transpose(columns: [&[f32]; COLUMNS], runs: &[usize], panel: &mut [f32]) {
    let (depth, lanes) = (columns[0].len(), runs.len());
    for at in blocks(&columns, runs, panel)..depth.next_multiple_of(lanes) {
        let row = runs[at % lanes] + at / lanes;
        let into = &mut panel[row * GRAIN..][..COLUMNS];
        into.iter_mut().zip(columns).for_each(|(into, column)| *into = column.get(at).copied().unwrap_or(0.0));
    }
}

/// Transposes whole blocks of vectors, and says how many numbers of each column that were.
#[cfg(target_arch = "x86_64")]
fn blocks(columns: &[&[f32]; COLUMNS], runs: &[usize], panel: &mut [f32]) -> usize {
    match pulp::x86::V3::try_new() {
        Some(simd) if runs.len().is_multiple_of(COLUMNS) => {
            simd.vectorize(vectors::Blocks { simd, columns, runs, panel });
            columns[0].len() / COLUMNS * COLUMNS
        }
        _ => 0,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn blocks(_: &[&[f32]; COLUMNS], _: &[usize], _: &mut [f32]) -> usize {
    0
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::__m256;

    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, Simd, cast, f32x8};

    use super::{COLUMNS, GRAIN};

    pub(super) struct Blocks<'w, 'o> {
        pub(super) simd: V3,
        pub(super) columns: &'w [&'w [f32]; COLUMNS],
        pub(super) runs: &'w [usize],
        pub(super) panel: &'o mut [f32],
    }

    impl NullaryFnOnce for Blocks<'_, '_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { simd, columns: from, runs, panel } = self;
            let (lanes, blocks) = (runs.len(), from[0].len() / COLUMNS);
            let mut columns: [&[f32x8]; COLUMNS] = [&[]; COLUMNS];
            let mut c = 0;
            while c < COLUMNS {
                columns[c] = &V3::as_simd_f32s(from[c]).0[..blocks];
                c += 1;
            }
            let mut at = 0;
            while at < blocks {
                let mut block = [columns[0][at]; COLUMNS];
                let mut c = 0;
                while c < COLUMNS {
                    block[c] = columns[c][at];
                    c += 1;
                }
                let (block, step, lane) = (transposed(simd, block), at * COLUMNS / lanes, at * COLUMNS % lanes);
                let mut l = 0;
                while l < COLUMNS {
                    let row = runs[lane + l] + step;
                    V3::as_mut_simd_f32s(&mut panel[row * GRAIN..][..COLUMNS]).0[0] = block[l];
                    l += 1;
                }
                at += 1;
            }
        }
    }

    /// Rows of a block of eight by eight as columns: pairs, then fours, then halves of vectors change places.
    #[inline(always)]
    fn transposed(simd: V3, block: [f32x8; COLUMNS]) -> [f32x8; COLUMNS] {
        let avx = simd.avx;
        let pairs = |a: f32x8, b: f32x8| -> [__m256; 2] {
            [avx._mm256_unpacklo_ps(cast(a), cast(b)), avx._mm256_unpackhi_ps(cast(a), cast(b))]
        };
        let fours = |a: __m256, b: __m256| [avx._mm256_shuffle_ps::<0x44>(a, b), avx._mm256_shuffle_ps::<0xEE>(a, b)];
        let halves = |a: __m256, b: __m256| -> [f32x8; 2] {
            [cast(avx._mm256_permute2f128_ps::<0x20>(a, b)), cast(avx._mm256_permute2f128_ps::<0x31>(a, b))]
        };
        let [a0, b0] = pairs(block[0], block[1]);
        let [a1, b1] = pairs(block[2], block[3]);
        let [a2, b2] = pairs(block[4], block[5]);
        let [a3, b3] = pairs(block[6], block[7]);
        let ([c0, d0], [e0, f0]) = (fours(a0, a1), fours(b0, b1));
        let ([c1, d1], [e1, f1]) = (fours(a2, a3), fours(b2, b3));
        let ([g0, g4], [g1, g5]) = (halves(c0, c1), halves(d0, d1));
        let ([g2, g6], [g3, g7]) = (halves(e0, e1), halves(f0, f1));
        [g0, g1, g2, g3, g4, g5, g6, g7]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_the_row_of_its_lane() {
        for (depth, lanes) in [(1, 8), (19, 8), (64, 16), (77, 16), (5, 4), (6, 1)] {
            let numbers: Vec<f32> = (1..=depth * COLUMNS).map(|at| at as f32).collect();
            let columns: [&[f32]; COLUMNS] = std::array::from_fn(|c| &numbers[c * depth..][..depth]);
            let steps = depth.div_ceil(lanes);
            let runs: Vec<usize> = (0..lanes).map(|lane| (lanes - 1 - lane) * steps).collect();
            let mut panel = vec![-1.0; lanes * steps * GRAIN];
            transpose(columns, &runs, &mut panel);
            for (row, found) in panel.chunks(GRAIN).enumerate() {
                let at = row % steps * lanes + (lanes - 1 - row / steps);
                let column = |c: usize| if at < depth { numbers[c * depth + at] } else { 0.0 };
                assert!((0..COLUMNS).all(|c| found[c] == column(c)), "{depth} {lanes}: row {row}");
                assert!(found[COLUMNS..].iter().all(|other| *other == -1.0), "other columns are as they were");
            }
        }
    }
}
