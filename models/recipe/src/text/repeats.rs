//! Random words that occur twice, for measuring heads that copy.

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::words::PLAIN;
use super::{N_CTX, vocab};

/// Random sequences, each repeated once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// `[batch][pos]` token ids: the opening token, a sequence, the same sequence again.
    pub rows: Vec<Vec<u32>>,
    /// Length of the sequence.
    pub length: usize,
}

impl Repeats {
    /// Draws `rows` sequences of `length` different tokens of `pool` (fewer if the pool is smaller).
    pub fn draw(seed: u64, rows: usize, length: usize, pool: &[u32], opening: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let length = length.min(pool.len());
        let mut row = || {
            let once: Vec<u32> = pool.choose_multiple(&mut rng, length).copied().collect();
            [vec![opening], once.clone(), once].concat()
        };
        Self { rows: (0..rows).map(|_| row()).collect(), length }
    }

    /// Sequences of ordinary words that fill the context.
    pub fn words(seed: u64, rows: usize) -> Self {
        let words: Vec<u32> = PLAIN.iter().map(|word| vocab::spaced(word)).collect();
        Self::draw(seed, rows, (N_CTX - 1) / 2, &words, vocab::END_OF_TEXT_ID)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_occurs_twice_after_the_opening() {
        let pool: Vec<u32> = (2..40).collect();
        let repeats = Repeats::draw(1, 3, 5, &pool, 0);
        for row in &repeats.rows {
            assert_eq!((row.len(), row[0]), (11, 0));
            assert_eq!(row[1..6], row[6..]);
        }
        assert_eq!(Repeats::draw(1, 3, 500, &pool, 0).length, 38);
    }
}
