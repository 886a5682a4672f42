//! Activations that are in memory together.

use burn::tensor::{Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::place::FeedPlace;

/// The rows of a chunk, one tensor a site, and the place after it.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// `[token, width]` of each site, in corpus order.
    pub(super) sites: Vec<Tensor<2>>,
    /// Where the next chunk starts; `None` at the end of the corpus.
    pub(super) next: Option<FeedPlace>,
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.sites.first().map_or(0, |site| site.dims()[0])
    }

    /// The rows of some tokens, one tensor a site.
    pub(super) fn rows(&self, tokens: &[i64]) -> Vec<Tensor<2>> {
        let select = |site: &Tensor<2>| {
            let at = TensorData::new(tokens.to_vec(), [tokens.len()]);
            site.clone().select(0, Tensor::<1, Int>::from_data(at, &site.device()))
        };
        self.sites.iter().map(select).collect()
    }
}

/// The tokens of each batch of a chunk: all of them, shuffled, in batches whose sizes differ by one at most.
pub(super) fn batches(rows: usize, most: usize, seed: u64, epoch: u64, chunk: u64) -> Vec<Vec<i64>> {
    let mut order: Vec<i64> = (0..rows as i64).collect();
    let mut key = [0; 32];
    for (part, number) in key.chunks_exact_mut(8).zip([seed, epoch, chunk]) {
        part.copy_from_slice(&number.to_le_bytes());
    }
    order.shuffle(&mut ChaCha8Rng::from_seed(key));
    let count = rows.div_ceil(most);
    (0..count).map(|at| order[at * rows / count..(at + 1) * rows / count].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_given_once_and_sizes_differ_by_one() {
        for (rows, most) in [(10, 3), (10, 4), (10, 10), (10, 99), (1, 1), (0, 4)] {
            let batches = batches(rows, most, 1, 2, 3);
            let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
            let (low, high) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
            assert!(high - low <= 1 && *high <= most, "{sizes:?}");
            let mut all = batches.concat();
            all.sort_unstable();
            assert_eq!(all, (0..rows as i64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn seed_epoch_and_chunk_each_change_the_order() {
        let of = |seed, epoch, chunk| batches(50, 50, seed, epoch, chunk);
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        for other in [of(2, 2, 3), of(1, 3, 3), of(1, 2, 4)] {
            assert_ne!(of(1, 2, 3), other);
        }
    }
}
