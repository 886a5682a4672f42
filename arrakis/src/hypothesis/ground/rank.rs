//! Ranks with ties, and the distribution of rank sums.

/// Ranks of some values, from 1; tied values get their mean rank.
pub(crate) struct Ranks {
    /// One rank per value, in the order of the values. A mean rank may end in one half, so twice a rank is whole.
    pub(crate) ranks: Vec<f64>,
    /// The sum of t^3 - t over groups of t tied values, by which ties reduce the variance of a rank sum.
    pub(crate) tie_term: f64,
}

/// Ranks finite `values`.
pub(crate) fn rank(values: &[f64]) -> Ranks {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let (mut ranks, mut tie_term, mut start) = (vec![0.0; values.len()], 0.0, 0);
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let ties = group.len() as f64;
        let shared = start as f64 + f64::midpoint(ties, 1.0);
        for &index in group {
            ranks[index] = shared;
        }
        tie_term += ties.powi(3) - ties;
        start += group.len();
    }
    Ranks { ranks, tie_term }
}

/// Twice each rank, as a whole number.
pub(crate) fn doubled(ranks: &[f64]) -> Vec<usize> {
    ranks.iter().map(|rank| (2.0 * rank).round() as usize).collect()
}

/// The two tails (at least, at most) of the distribution `ways` at `observed`.
pub(crate) fn tails(ways: &[f64], observed: usize) -> (f64, f64) {
    let total: f64 = ways.iter().sum();
    (ways[observed..].iter().sum::<f64>() / total, ways[..=observed].iter().sum::<f64>() / total)
}

/// W+ and W-, the rank sums of the positive and of the negative differences.
pub(crate) fn rank_sums(differences: &[f64]) -> (f64, f64) {
    let kept: Vec<f64> = differences.iter().copied().filter(|&difference| difference != 0.0).collect();
    let ranks = rank(&kept.iter().map(|difference| difference.abs()).collect::<Vec<_>>()).ranks;
    let sum =
        |positive: bool| kept.iter().zip(&ranks).filter(|(d, _)| (**d > 0.0) == positive).map(|(_, rank)| rank).sum();
    (sum(true), sum(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        let found = rank(&[3.0, 1.0, 3.0, 0.0, 3.0]);
        assert_eq!(found.ranks, [4.0, 2.0, 4.0, 1.0, 4.0]);
        assert_eq!(found.tie_term, 24.0);
        assert_eq!(rank(&[0.0, -0.0]).ranks, [1.5, 1.5]);
    }
}
