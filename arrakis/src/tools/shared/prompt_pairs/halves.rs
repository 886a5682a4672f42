//! Two halves of some pairs: one to choose a place on, one to test it on.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::super::common;
use super::PromptPairs;
use crate::error::{Error, Result};

/// Pairs to choose a place on, and other pairs to test it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Halves {
    /// The seed of the split.
    pub seed: u64,
    /// The pairs to search on.
    pub select: PromptPairs,
    /// The pairs to measure on. None of their clean prompts is among those of `select`.
    pub test: PromptPairs,
}

impl PromptPairs {
    /// Splits the pairs at random into two halves, the same for the same seed.
    ///
    /// Pairs with the same clean prompt stay together. Each group ([`PromptPairs::groups`]) is halved by itself, so that both
    /// halves have every template; of an odd number, `test` gets one more. A place that a scan of `select` ranks carries
    /// its search, and a claim about the place on `test` counts no comparisons: see [`ScoreTable::sample`](crate::tools::ScoreTable::sample).
    ///
    /// ```
    /// use arrakis::prelude::*;
    /// use arrakis::hypothesis::Sample;
    ///
    /// #[use_tools]
    /// #[test_hypothesis(claim = "the strongest head moves the name", null = 0.0, alternative = Less, test = OneSampleT)]
    /// fn strongest(bench: &Bench, pairs: &PromptPairs, #[tool] ablation: Ablation) -> Result<Sample> {
    ///     let Halves { select, test, .. } = pairs.split(0)?;
    ///     let searched = ablation.heads(&select.clean, &select.metric(), AblationKind::Zero)?.change();
    ///     let best = searched.lowest(1).remove(0);
    ///     ablation.heads(&test.clean, &test.metric(), AblationKind::Zero)?.change().sample(&best)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for fewer than two distinct clean prompts.
    pub fn split(&self, seed: u64) -> Result<Halves> {
        let mut groups: BTreeMap<&str, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (row, id) in common::prompt_ids(&self.clean).into_iter().enumerate() {
            let group = self.groups.get(row).map_or("", String::as_str);
            groups.entry(group).or_default().entry(id).or_default().push(row);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut select, mut test) = (Vec::new(), Vec::new());
        for prompts in groups.into_values() {
            let mut prompts: Vec<Vec<usize>> = prompts.into_values().collect();
            prompts.shuffle(&mut rng);
            let half = prompts.len() / 2;
            test.extend(prompts.split_off(half).concat());
            select.extend(prompts.concat());
        }
        if select.is_empty() {
            let problem = format!(
                "{} distinct prompts cannot be halved; give at least 2 of one template",
                test.len().min(self.len())
            );
            return Err(Error::Value { of: "PromptPairs", problem });
        }
        // In the order of the whole, so that rows of one half can be compared with those of the other.
        select.sort_unstable();
        test.sort_unstable();
        Ok(Halves { seed, select: self.rows(&select)?, test: self.rows(&test)? })
    }

    /// As many pairs, drawn with replacement: a resample of a bootstrap, the same for the same seed.
    #[must_use]
    pub fn resampled(&self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows: Vec<usize> = (0..self.len()).map(|_| rng.random_range(0..self.len())).collect();
        self.rows(&rows).expect("BUG: rows of pairs are pairs")
    }
}

#[cfg(test)]
mod tests {
    use arrakis_models::Tokens;

    use super::*;

    fn pairs(prompts: &[u32]) -> PromptPairs {
        let tokens = |last: u32| Tokens::new(prompts.iter().map(|id| vec![*id, last]).collect()).unwrap();
        let answers = prompts.to_vec();
        PromptPairs {
            clean: tokens(1),
            corrupted: tokens(2),
            answers,
            wrong: vec![0; prompts.len()],
            groups: Vec::new(),
        }
    }

    #[test]
    fn every_pair_is_in_one_half_and_copies_stay_together() {
        let all = pairs(&[5, 6, 7, 8, 9, 5, 6]);
        for seed in 0..20 {
            let Halves { select, test, .. } = all.split(seed).unwrap();
            let mut both = [select.answers.clone(), test.answers.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, [5, 5, 6, 6, 7, 8, 9]);
            assert!(select.answers.iter().all(|id| !test.answers.contains(id)), "{select:?} {test:?}");
            assert_eq!(all.split(seed).unwrap().test, test);
        }
        let tests: Vec<_> = (0..20).map(|seed| all.split(seed).unwrap().test.answers).collect();
        assert!(tests.iter().any(|test| *test != tests[0]));
    }

    #[test]
    fn each_group_is_halved() {
        let groups = ["a", "b", "a", "b", "a", "a"];
        let Halves { select, test, .. } = pairs(&[1, 2, 3, 4, 5, 6]).with_groups(groups).unwrap().split(3).unwrap();
        for half in [&select, &test] {
            let of = |name: &str| half.groups.iter().filter(|group| *group == name).count();
            assert_eq!((of("a"), of("b")), (2, 1));
        }
    }

    #[test]
    fn a_resample_keeps_pairs_together() {
        let all = pairs(&[5, 6, 7, 8, 9]);
        let drawn = all.resampled(2);
        assert_eq!(drawn.len(), 5);
        for (row, ids) in drawn.clean.ids().iter().enumerate() {
            assert_eq!((ids[0], drawn.corrupted.ids()[row][0]), (drawn.answers[row], drawn.answers[row]));
        }
        assert_eq!(drawn, all.resampled(2));
        assert!((0..9).any(|seed| all.resampled(seed).answers != drawn.answers));
    }

    #[test]
    fn one_prompt_cannot_be_halved() {
        assert_eq!(
            pairs(&[5]).split(0).unwrap_err().to_string(),
            "`PromptPairs`: 1 distinct prompts cannot be halved; give at least 2 of one template"
        );
    }
}
