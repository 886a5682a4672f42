//! Text in which passages recur.

use arrakis_recipe::text::mixture::Batch;
use rand::seq::{IndexedRandom as _, index};
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Tokens of the language.
pub(crate) const D_VOCAB: usize = 64;
/// Positions of a document.
pub(crate) const N_CTX: usize = 64;
/// Tokens that may follow a token, all equally often.
const FOLLOWERS: usize = 8;
/// How often a passage from before is repeated instead of one more token. It bounds what the text before a token can tell, so
/// that in-context learning levels off: at 0.1 near the 0.4 nats of language models.
const REPEATS: f64 = 0.1;
/// The lengths of repeated passages.
const PASSAGE: std::ops::RangeInclusive<usize> = 8..=16;

/// A random language: each token has its followers, which a model can learn by heart. What recurs within a document it
/// can only look up.
pub(crate) struct Language {
    followers: Vec<Vec<u32>>,
}

/// A document and the token after it.
pub(crate) struct Document {
    pub(crate) tokens: Vec<u32>,
    /// Whether the token continues a repeated passage, so that the text before determines it.
    pub(crate) repeated: Vec<bool>,
}

impl Language {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || index::sample(&mut rng, D_VOCAB, FOLLOWERS).into_iter().map(|token| token as u32).collect();
        Self { followers: (0..D_VOCAB).map(|_| row()).collect() }
    }

    fn document(&self, rng: &mut impl Rng) -> Document {
        let mut tokens = vec![rng.random_range(0..D_VOCAB as u32)];
        let mut repeated = vec![false];
        while tokens.len() <= N_CTX {
            if tokens.len() > *PASSAGE.start() && rng.random_bool(REPEATS) {
                let length = rng.random_range(PASSAGE).min(tokens.len());
                let start = rng.random_range(0..=tokens.len() - length);
                tokens.extend_from_within(start..start + length);
                repeated.extend((0..length).map(|at| at > 0));
            } else {
                let last = tokens[tokens.len() - 1] as usize;
                tokens.push(*self.followers[last].choose(rng).expect("BUG: every token has followers"));
                repeated.push(false);
            }
        }
        tokens.truncate(N_CTX + 1);
        repeated.truncate(N_CTX + 1);
        Document { tokens, repeated }
    }

    /// The documents of a seed.
    pub(crate) fn documents(&self, seed: u64, rows: usize) -> Vec<Document> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..rows).map(|_| self.document(&mut rng)).collect()
    }

    /// The same as a batch to train on.
    pub(crate) fn batch(&self, seed: u64, rows: usize) -> Batch {
        let documents = self.documents(seed, rows);
        let part = |from: usize| documents.iter().map(|of| of.tokens[from..from + N_CTX].to_vec()).collect();
        Batch { tokens: part(0), targets: part(1), loss_mask: vec![vec![1.0; N_CTX]; rows] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_token_follows_the_token_before_it_as_it_did_before() {
        let language = Language::new(1);
        let documents = language.documents(2, 200);
        for Document { tokens, repeated } in &documents {
            assert_eq!((tokens.len(), repeated.len()), (N_CTX + 1, N_CTX + 1));
            for at in 1..=N_CTX {
                let followed = (1..at).any(|earlier| tokens[earlier - 1..=earlier] == tokens[at - 1..=at]);
                assert!(!repeated[at] || followed, "{tokens:?} at {at}");
            }
        }
        let share = documents.iter().flat_map(|of| &of.repeated).filter(|repeated| **repeated).count();
        assert!((0.35..0.65).contains(&(share as f64 / (200.0 * (N_CTX + 1) as f64))), "{share}");
    }

    #[test]
    fn what_is_new_follows_the_language() {
        let language = Language::new(1);
        for Document { tokens, repeated } in language.documents(3, 50) {
            let new = |at: &usize| !repeated[*at] && !repeated.get(at + 1).copied().unwrap_or(true);
            let strange = (1..N_CTX).filter(new).filter(|at| {
                let followers = &language.followers[tokens[at - 1] as usize];
                !followers.contains(&tokens[*at])
            });
            assert_eq!(strange.count(), 0, "{tokens:?}");
        }
    }
}
