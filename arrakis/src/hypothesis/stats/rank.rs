//! Ranks that share ties, and the sums that ranks can take.

/// Average ranks of some values, from 1.
pub(super) struct Ranks {
    /// One rank a value, in the order of the values; ties share their mean, so twice a rank is whole.
    pub(super) ranks: Vec<f64>,
    /// The sum of t^3 - t over groups of t tied values: what ties take from the variance of a rank sum.
    pub(super) tie_term: f64,
}

/// Ranks finite `values`.
pub(super) fn rank(values: &[f64]) -> Ranks {
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
pub(super) fn doubled(ranks: &[f64]) -> Vec<usize> {
    ranks.iter().map(|rank| (2.0 * rank).round() as usize).collect()
}

/// The two tails (at least, at most) of the distribution `ways` at `observed`.
pub(super) fn tails(ways: &[f64], observed: usize) -> (f64, f64) {
    let total: f64 = ways.iter().sum();
    (ways[observed..].iter().sum::<f64>() / total, ways[..=observed].iter().sum::<f64>() / total)
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
