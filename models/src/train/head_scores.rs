//! What each head looks at on repeated random tokens: one token back, the same token, or what followed it.
//!
//! Source: Olsson et al., "In-context Learning and Induction Heads" (2022).

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::HookedTransformer;

/// Mean attention of one head, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScore {
    /// Its block.
    pub layer: usize,
    /// Its place in the block.
    pub head: usize,
    /// From a token's second occurrence to the token after its first.
    pub induction: f64,
    /// From every token but the first to the one before it.
    pub previous_token: f64,
    /// From a token's second occurrence to its first.
    pub duplicate_token: f64,
}

/// Random sequences that come twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// `[batch][pos]` token ids: the opening token, a sequence, the sequence again.
    pub rows: Vec<Vec<u32>>,
    /// Length of the sequence.
    pub length: usize,
}

impl Repeats {
    /// Draws `rows` sequences of `length` different tokens of `pool` (fewer where the pool is smaller).
    pub fn draw(seed: u64, rows: usize, length: usize, pool: &[u32], opening: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let length = length.min(pool.len());
        let mut row = || {
            let once: Vec<u32> = pool.choose_multiple(&mut rng, length).copied().collect();
            [vec![opening], once.clone(), once].concat()
        };
        Self { rows: (0..rows).map(|_| row()).collect(), length }
    }
}

/// The scores of every head, layer by layer.
///
/// # Errors
///
/// Those of a run: rows that do not fit the model.
pub fn head_scores(model: &HookedTransformer, repeats: &Repeats) -> Result<Vec<HeadScore>> {
    let (_, cache) = model.run_with_cache(repeats.rows.clone(), ["blocks.*.attn.pattern"])?;
    let mut scores = Vec::new();
    for layer in 0..model.config().n_layers {
        let pattern = cache.activation(format!("blocks.{layer}.attn.pattern"))?;
        let heads = pattern.dims()[1];
        let values = pattern.to_vec()?;
        let of = |head| Patterns { values: &values, heads, head, pos: 2 * repeats.length + 1 };
        scores.extend((0..heads).map(|head| of(head).score(layer, repeats.length)));
    }
    Ok(scores)
}

/// One head's attention in `[batch, head, query, key]`.
struct Patterns<'a> {
    values: &'a [f32],
    heads: usize,
    head: usize,
    pos: usize,
}

impl Patterns<'_> {
    fn score(&self, layer: usize, length: usize) -> HeadScore {
        HeadScore {
            layer,
            head: self.head,
            induction: self.stripe(length + 1, length - 1),
            previous_token: self.stripe(1, 1),
            duplicate_token: self.stripe(length + 1, length),
        }
    }

    /// Mean attention from every query at `first` or later to the key `back` positions before it.
    fn stripe(&self, first: usize, back: usize) -> f64 {
        let square = self.pos * self.pos;
        let mut found = Vec::new();
        for row in self.values.chunks(self.heads * square) {
            let pattern = &row[self.head * square..(self.head + 1) * square];
            found.extend((first..self.pos).map(|query| f64::from(pattern[query * self.pos + query - back])));
        }
        found.iter().sum::<f64>() / found.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_comes_twice_after_the_opening() {
        let pool: Vec<u32> = (2..40).collect();
        let repeats = Repeats::draw(1, 3, 5, &pool, 0);
        for row in &repeats.rows {
            assert_eq!((row.len(), row[0]), (11, 0));
            assert_eq!(row[1..6], row[6..]);
        }
        assert_eq!(Repeats::draw(1, 3, 500, &pool, 0).length, 38);
    }

    #[test]
    fn stripes_by_hand() {
        // Two heads over `0 a b a b`: head 0 attends uniformly, head 1 is a perfect induction head.
        let (length, pos) = (2, 5);
        let mut values = vec![0.0; 2 * pos * pos];
        for query in 0..pos {
            (0..=query).for_each(|key| values[query * pos + key] = 1.0 / (query + 1) as f32);
            values[pos * pos + query * pos + query.saturating_sub(length - 1)] = 1.0;
        }
        let of = |head| Patterns { values: &values, heads: 2, head, pos }.score(0, length);
        assert_eq!((of(1).induction, of(1).duplicate_token), (1.0, 0.0));
        assert!((of(0).induction - f64::midpoint(1.0 / 4.0, 1.0 / 5.0)).abs() < 1e-7);
        let previous = (1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0 + 1.0 / 5.0) / 4.0;
        assert!((of(0).previous_token - previous).abs() < 1e-7);
    }
}
