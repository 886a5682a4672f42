//! Ranks with ties, and the distribution of rank sums.

use std::cell::RefCell;

use super::dual::Near;
use super::select::Sums;

/// The ranks of finite `values`, from 1; tied values get their mean rank.
pub(crate) fn rank(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let (mut ranks, mut start) = (vec![0.0; values.len()], 0);
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let shared = start as f64 + f64::midpoint(group.len() as f64, 1.0);
        for &index in group {
            ranks[index] = shared;
        }
        start += group.len();
    }
    ranks
}

/// The two tails (at least, at most) of the distribution `ways` at `observed`.
pub(crate) fn tails(ways: &[f64], observed: usize) -> (f64, f64) {
    let total: f64 = ways.iter().sum();
    (ways[observed..].iter().sum::<f64>() / total, ways[..=observed].iter().sum::<f64>() / total)
}

/// W+ and W-, the rank sums of the positive and of the negative differences.
pub(crate) fn rank_sums(differences: &[f64]) -> (f64, f64) {
    let mut sums = RankSum::default();
    magnitudes(&sorted(differences), 0.0, |ties, positive| sums.add(ties, positive));
    (sums.sum(), (sums.n * (sums.n + 1)) as f64 / 2.0 - sums.sum())
}

/// The sum of t^3 - t over groups of t tied values.
pub(crate) fn tie_term(sorted: &[f64]) -> f64 {
    sorted.chunk_by(|a, b| a == b).map(|group| (group.len() as f64).powi(3) - group.len() as f64).sum()
}

/// Where rank sums of values shifted by `sums` become extreme: the ends of an interval that leaves out `reach` sums on each
/// side of the middle one, and a little more. `step` is the standard error of the shift, `sd` that of the rank sum, `size` the
/// largest magnitude of the values.
pub(crate) fn near(sums: &Sums, reach: f64, step: f64, sd: f64, size: f64) -> Option<Near> {
    let count = sums.count();
    let rank = count as f64 / 2.0 - reach;
    if rank.is_nan() || rank < 0.0 {
        return None;
    }
    let rank = (rank as usize).min((count - 1) / 2);
    // Eight sums, at the usual distance of neighbours, and the rounding of a shift.
    let (width, resolution) = (8.0 * step / sd + 4.0 * f64::EPSILON * size, f64::EPSILON * size);
    let (low, high) = (sums.at(rank), sums.at(count - 1 - rank));
    Some(Near { brackets: [[low + width, low - width], [high - width, high + width]], resolution })
}

/// Calls `group(ties, positive)` for each group of equal magnitudes of `sorted[i] - shift`, ascending: how many values it
/// has, and how many of them are positive. Zeros are left out.
pub(crate) fn magnitudes(sorted: &[f64], shift: f64, mut group: impl FnMut(usize, usize)) {
    let mut negative = sorted.partition_point(|value| *value < shift);
    let mut positive = sorted.partition_point(|value| *value <= shift);
    loop {
        let below = |left: usize| if left == 0 { f64::INFINITY } else { shift - sorted[left - 1] };
        let above = |right: usize| sorted.get(right).map_or(f64::INFINITY, |value| value - shift);
        if negative == 0 && positive == sorted.len() {
            return;
        }
        let (magnitude, before) = (below(negative).min(above(positive)), (negative, positive));
        while negative > 0 && below(negative) == magnitude {
            negative -= 1;
        }
        while positive < sorted.len() && above(positive) == magnitude {
            positive += 1;
        }
        // A shift without a value leaves nothing in order.
        if (negative, positive) == before {
            return;
        }
        group(before.0 - negative + positive - before.1, positive - before.1);
    }
}

/// Calls `group(ties, of_a)` for each group of equal values of `a`, shifted down, and `b`, ascending. Both are sorted.
pub(crate) fn merged(a: &[f64], b: &[f64], shift: f64, mut group: impl FnMut(usize, usize)) {
    let (mut i, mut j) = (0, 0);
    let at_a = |i: usize| a.get(i).map_or(f64::INFINITY, |value| value - shift);
    let at_b = |j: usize| b.get(j).copied().unwrap_or(f64::INFINITY);
    while i < a.len() || j < b.len() {
        let (value, before) = (at_a(i).min(at_b(j)), (i, j));
        while i < a.len() && at_a(i) == value {
            i += 1;
        }
        while j < b.len() && at_b(j) == value {
            j += 1;
        }
        if (i, j) == before {
            return;
        }
        group(i - before.0 + j - before.1, i - before.0);
    }
}

/// What a rank test needs of groups of ties in ascending order.
#[derive(Default)]
pub(crate) struct RankSum {
    /// The number of values.
    pub(crate) n: usize,
    /// The sum of the ranks of the chosen values, times two.
    pub(crate) doubled: usize,
    /// The sum of t^3 - t over groups of t tied values, by which ties reduce the variance of a rank sum.
    pub(crate) tie_term: f64,
    /// Every rank, times two; only of few values, for an exact count.
    pub(crate) ranks: Vec<usize>,
    keep_up_to: usize,
}

impl RankSum {
    /// Keeps single ranks of up to so many values.
    pub(crate) fn keeping(keep_up_to: usize) -> Self {
        Self { keep_up_to, ..Self::default() }
    }

    /// Adds the next group of `ties` values, of which `chosen` are chosen.
    pub(crate) fn add(&mut self, ties: usize, chosen: usize) {
        // Twice the mean of the ranks n + 1 to n + ties.
        let rank = 2 * self.n + ties + 1;
        self.n += ties;
        self.doubled += chosen * rank;
        self.tie_term += (ties as f64).powi(3) - ties as f64;
        if self.n <= self.keep_up_to {
            self.ranks.extend(std::iter::repeat_n(rank, ties));
        }
    }

    /// The sum of the ranks of the chosen values.
    pub(crate) fn sum(&self) -> f64 {
        self.doubled as f64 / 2.0
    }
}

/// Ranks, and for every rank sum the choices with that sum. Most shifts leave the ranks as they are.
#[derive(Default)]
pub(crate) struct Counted(RefCell<(Vec<usize>, Vec<f64>)>);

impl Counted {
    /// What `of` makes of the counts for these ranks, which `count` counts if they are other ones than the last.
    pub(crate) fn with<T>(
        &self,
        ranks: &[usize],
        count: impl FnOnce(&[usize]) -> Vec<f64>,
        of: impl FnOnce(&[f64]) -> T,
    ) -> T {
        let mut counted = self.0.borrow_mut();
        if counted.0 != ranks {
            *counted = (ranks.to_vec(), count(ranks));
        }
        of(&counted.1)
    }
}

/// Sorted copies of finite values.
pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::super::testing::{normals, seeded};
    use super::*;

    /// Rank sums of the positive and the negative differences, with every rank written out.
    fn plain_rank_sums(differences: &[f64]) -> (f64, f64) {
        let kept: Vec<f64> = differences.iter().copied().filter(|&difference| difference != 0.0).collect();
        let ranks = rank(&kept.iter().map(|difference| difference.abs()).collect::<Vec<_>>());
        let sum = |positive: bool| {
            kept.iter().zip(&ranks).filter(|(d, _)| (**d > 0.0) == positive).map(|(_, rank)| rank).sum()
        };
        (sum(true), sum(false))
    }

    #[test]
    fn ranks_at_a_shift_are_the_ranks_of_shifted_values() {
        let rng = &mut seeded(1);
        let rounded = |rng: &mut _, n| normals(rng, n).iter().map(|x| (4.0 * x).round() / 4.0).collect::<Vec<f64>>();
        for shift in [0.0, 0.25, -1.5, 10.0] {
            let (a, b) = (rounded(rng, 17), rounded(rng, 12));
            let moved: Vec<f64> = a.iter().map(|value| value - shift).collect();
            let mut found = RankSum::default();
            magnitudes(&sorted(&a), shift, |ties, positive| found.add(ties, positive));
            let kept: Vec<f64> = moved.iter().map(|value| value.abs()).filter(|value| *value != 0.0).collect();
            assert_eq!((found.sum(), found.n), (plain_rank_sums(&moved).0, kept.len()));
            assert_eq!(rank_sums(&moved), plain_rank_sums(&moved));
            assert_eq!(found.tie_term, tie_term(&sorted(&kept)));
            let mut found = RankSum::keeping(29);
            merged(&sorted(&a), &sorted(&b), shift, |ties, of_a| found.add(ties, of_a));
            let pool: Vec<f64> = moved.iter().chain(&b).copied().collect();
            assert_eq!(found.sum(), rank(&pool)[..17].iter().sum::<f64>());
            assert_eq!((found.tie_term, found.ranks.iter().sum::<usize>()), (tie_term(&sorted(&pool)), 29 * 30));
        }
    }

    #[test]
    fn counts_are_kept_until_the_ranks_change() {
        let (counted, calls) = (Counted::default(), std::cell::Cell::new(0));
        let total = |ranks: &[usize]| {
            let count = |ranks: &[usize]| {
                calls.set(calls.get() + 1);
                ranks.iter().map(|rank| *rank as f64).collect()
            };
            counted.with(ranks, count, |counts| counts.iter().sum::<f64>())
        };
        assert_eq!([total(&[2, 4]), total(&[2, 4]), total(&[3, 3, 6]), total(&[2, 4])], [6.0, 6.0, 12.0, 6.0]);
        assert_eq!(calls.get(), 3);
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(rank(&[3.0, 1.0, 3.0, 0.0, 3.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
        assert_eq!(rank(&[0.0, -0.0]), [1.5, 1.5]);
    }
}
