//! The words and the chance that a prompt is made of.

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The words and the chance that a prompt is made of.
pub(super) struct Draw {
    rng: ChaCha8Rng,
    /// 0 for the train side, 1 for the held-out side.
    side: usize,
}

impl Draw {
    /// The words of one side: 0 for the train side, 1 for the held-out side.
    pub(super) fn new(seed: u64, side: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(side as u64);
        Self { rng, side }
    }

    /// Whether the held-out side is drawn.
    pub(super) fn is_held_out(&self) -> bool {
        self.side == 1
    }

    /// One of them.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).expect("BUG: no list of a built-in set is empty")
    }

    /// So many different ones, in random order.
    pub(super) fn some<T: Copy>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut all = of.to_vec();
        all.shuffle(&mut self.rng);
        all.truncate(count);
        all
    }

    /// What belongs to the side that is drawn.
    pub(super) fn side<T>(&self, sides: [T; 2]) -> T {
        let [train, held_out] = sides;
        if self.side == 0 { train } else { held_out }
    }
}
