//! Splits that keep groups whole.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The rows to train and to test on.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// Splits rows into folds: every row is tested once, and a group is never both trained and tested on. The groups are
/// shuffled, then each goes to the fold with the fewest rows. At most as many folds as groups.
pub(super) fn split(groups: &[usize], folds: usize, seed: u64) -> Vec<Fold> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        rows.entry(*group).or_default().push(row);
    }
    let mut order: Vec<Vec<usize>> = rows.into_values().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut tests: Vec<Vec<usize>> = vec![Vec::new(); folds.min(order.len())];
    for rows in order {
        let smallest = tests.iter_mut().min_by_key(|test| test.len());
        smallest.expect("BUG: there is a fold").extend(rows);
    }
    let fold = |mut test: Vec<usize>| {
        test.sort_unstable();
        let train = (0..groups.len()).filter(|row| test.binary_search(row).is_err()).collect();
        Fold { train, test }
    };
    tests.into_iter().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_tested_once_and_no_group_is_on_both_sides() {
        let groups: Vec<usize> = (0..40).map(|row| row * 7 % 11).collect();
        for seed in 0..5 {
            let folds = split(&groups, 4, seed);
            assert_eq!(folds.len(), 4);
            let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
            tested.sort_unstable();
            assert_eq!(tested, (0..40).collect::<Vec<_>>());
            for Fold { train, test } in folds {
                assert_eq!(train.len() + test.len(), 40);
                assert!(test.iter().all(|row| train.iter().all(|other| groups[*other] != groups[*row])));
                assert!((6..=14).contains(&test.len()), "{}", test.len());
            }
        }
        assert_eq!(split(&[0, 1], 5, 0).len(), 2);
        let tests = |seed| split(&groups, 4, seed).into_iter().map(|fold| fold.test).collect::<Vec<_>>();
        assert!(tests(1) == tests(1) && tests(1) != tests(2));
    }
}
