//! Values that are resampled as wholes: one by one, by group, or, if there are very many, in blocks.

use std::collections::BTreeMap;

use super::guard::refuse;
use crate::error::Result;

/// Up to this many units are resampled as they are.
const MOST: usize = 4096;

/// The products of draws and units that are affordable.
const WORK: usize = 200_000_000;

/// The fewest blocks that many values are put into.
const FEWEST: usize = 512;

/// A unit: the sum of its values, of their squares, and their number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Unit {
    pub(crate) sum: f64,
    pub(crate) squares: f64,
    pub(crate) n: f64,
}

impl Unit {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.squares += value * value;
        self.n += 1.0;
    }

    fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut unit = Self::default();
        values.into_iter().for_each(|value| unit.add(value));
        unit
    }
}

/// How many units `n` values are put into for so many draws.
pub(crate) fn count(n: usize, draws: usize) -> usize {
    n.min(MOST).min((WORK / draws.max(1)).max(FEWEST))
}

/// A unit for each value, or blocks if there are very many, each of values that are equally far apart: sums of
/// blocks keep the mean, its standard error and its skewness.
pub(crate) fn blocks(values: &[f64], draws: usize) -> Vec<Unit> {
    let count = count(values.len(), draws);
    (0..count).map(|block| Unit::of(values.iter().skip(block).step_by(count).copied())).collect()
}

/// Blocks of one size, and what is left over.
pub(crate) fn equal_blocks(values: &[f64], size: usize) -> (Vec<Unit>, Unit) {
    let chunks = values.chunks_exact(size);
    let rest = Unit::of(chunks.remainder().iter().copied());
    (chunks.map(|chunk| Unit::of(chunk.iter().copied())).collect(), rest)
}

/// The values of each group, in the order of the groups.
pub(crate) fn clusters<G: Ord>(test: &'static str, values: &[f64], groups: &[G]) -> Result<Vec<Vec<f64>>> {
    if values.len() != groups.len() {
        let problem = format!("there are {} values and {} groups", values.len(), groups.len());
        return Err(refuse(test, problem, "give one group per value"));
    }
    let mut clusters: BTreeMap<&G, Vec<f64>> = BTreeMap::new();
    for (group, &value) in groups.iter().zip(values) {
        clusters.entry(group).or_default().push(value);
    }
    if clusters.len() < 2 {
        return Err(refuse(test, "all values belong to one group", "give at least two groups, or leave `groups` out"));
    }
    Ok(clusters.into_values().collect())
}

/// A unit for each group.
pub(crate) fn of_clusters(clusters: &[Vec<f64>]) -> Vec<Unit> {
    clusters.iter().map(|cluster| Unit::of(cluster.iter().copied())).collect()
}

/// What to say if values are resampled in blocks.
pub(crate) fn note(n: usize, draws: usize) -> Option<String> {
    let count = count(n, draws);
    (count < n).then(|| format!("the {n} values are resampled in {count} blocks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_every_value_once() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let units = blocks(&values, 999);
        assert_eq!(units.len(), 4096);
        assert_eq!(units.iter().map(|unit| unit.n).sum::<f64>(), 10_000.0);
        assert_eq!(units.iter().map(|unit| unit.sum).sum::<f64>(), 49_995_000.0);
        assert_eq!(units[1], Unit::of([1.0, 4097.0, 8193.0]));
        assert_eq!(blocks(&values[..5], 999)[4], Unit { sum: 4.0, squares: 16.0, n: 1.0 });
        assert_eq!(blocks(&values, 10_000_000).len(), 512);
    }

    #[test]
    fn equal_blocks_leave_a_rest() {
        let (blocks, rest) = equal_blocks(&[1.0, 2.0, 3.0, 4.0, 5.0], 2);
        assert_eq!((blocks.len(), blocks[1].sum, rest.n), (2, 7.0, 1.0));
    }

    #[test]
    fn groups_are_collected_and_one_group_is_refused() {
        let found = clusters("sign_flip", &[1.0, 2.0, 3.0], &["b", "a", "b"]).unwrap();
        assert_eq!(found, [vec![2.0], vec![1.0, 3.0]]);
        assert_eq!(
            clusters("sign_flip", &[1.0, 2.0], &["a", "a"]).unwrap_err().to_string(),
            "`sign_flip`: all values belong to one group; give at least two groups, or leave `groups` out"
        );
    }
}
