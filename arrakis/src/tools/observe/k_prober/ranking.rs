//! Which features a k-sparse probe reads.

use serde::{Deserialize, Serialize};

use crate::tools::shared::common::largest;

/// How the features of a k-sparse probe are chosen, on the examples that it is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// The largest difference of the means over the examples of each label, in the units of the activations.
    #[default]
    MeanDifference,
    /// The largest weight in the probe on all features.
    Weight,
}

/// The difference of the means of each feature, `[feature]`.
pub(super) fn mean_differences(rows: &[&[f64]], labels: &[bool]) -> Vec<f64> {
    let mut sums = [vec![0.0; rows[0].len()], vec![0.0; rows[0].len()]];
    let mut counts = [0_usize; 2];
    for (row, label) in rows.iter().zip(labels) {
        let side = usize::from(*label);
        counts[side] += 1;
        sums[side].iter_mut().zip(*row).for_each(|(sum, x)| *sum += x);
    }
    let mean = |side: usize, feature: usize| sums[side][feature] / counts[side].max(1) as f64;
    (0..rows[0].len()).map(|feature| mean(1, feature) - mean(0, feature)).collect()
}

/// The features with the `k` largest magnitudes.
pub(super) fn strongest(values: &[f64], k: usize) -> Vec<usize> {
    largest(&values.iter().map(|value| value.abs()).collect::<Vec<_>>(), k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let rows: [&[f64]; 3] = [&[1.0, 4.0, 0.0], &[3.0, 2.0, 0.0], &[7.0, -5.0, 1.0]];
        let differences = mean_differences(&rows, &[false, false, true]);
        assert_eq!(differences, [5.0, -8.0, 1.0]);
        assert_eq!(strongest(&differences, 2), [1, 0]);
        assert_eq!(strongest(&differences, 9), [1, 0, 2]);
    }
}
