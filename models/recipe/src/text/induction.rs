//! Random words, repeated: a model can predict the second copy if it looks up what followed each word the first time.
//!
//! Source: Olsson et al., "In-context Learning and Induction Heads" (2022), repeated random sequences. The length of
//! the segment, the text before it and the gap between repeats all vary, so that no fixed distance predicts the next
//! word.

use std::sync::LazyLock;

use rand::Rng;
use rand::seq::index;

use super::document::{Document, NOISE, PREDICTABLE};
use super::words::{HELD_OUT_NAMES, PLAIN, TRAIN_NAMES};
use super::{N_CTX, vocab};

/// The layout of a repeated sequence, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Random words before the first repeat.
    pub prefix: usize,
    /// Words in the repeated segment.
    pub segment: usize,
    /// Random words between repeats.
    pub gap: usize,
}

impl Layout {
    /// A layout whose segment appears at least twice in one row.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let segment = rng.random_range(3..=28);
        let spare = N_CTX - 2 * segment;
        let gap = if rng.random_bool(0.5) { 0 } else { rng.random_range(0..=spare.min(16)) };
        let prefix = rng.random_range(0..=(spare - gap).min(24));
        Self { prefix, segment, gap }
    }
}

/// A repeated random sequence that fills a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// `<|endoftext|>`, then `N_CTX` words.
    pub tokens: Vec<u32>,
    /// Positions in `tokens` whose own token is determined by the text before: a repeat's words, except its first.
    pub predictable: Vec<usize>,
    /// Its layout.
    pub layout: Layout,
}

/// The pool of most sequences: plain words and all names, held-out ones included.
static WORDS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    [&PLAIN[..], &TRAIN_NAMES, &HELD_OUT_NAMES].into_iter().flatten().map(|word| vocab::spaced(word)).collect()
});

/// Every token but the two special ones.
static ANY: LazyLock<Vec<u32>> = LazyLock::new(|| (2..vocab::tokens().len() as u32).collect());

/// Draws a sequence; three in four use words and names, the rest use any token.
pub fn draw(rng: &mut impl Rng) -> Repeated {
    let pool = if rng.random_bool(0.75) { &*WORDS } else { &*ANY };
    let layout = Layout::draw(rng);
    repeat(rng, pool, layout)
}

/// Lays out one sequence; no token in it appears twice except by repetition.
///
/// `pool` has at least `N_CTX` distinct tokens, so that there are always enough random words.
fn repeat(rng: &mut impl Rng, pool: &[u32], layout: Layout) -> Repeated {
    let mut fresh = index::sample(rng, pool.len(), N_CTX).into_iter().map(|place| pool[place]);
    let segment: Vec<u32> = fresh.by_ref().take(layout.segment).collect();
    let mut tokens = vec![vocab::END_OF_TEXT_ID];
    let mut predictable = Vec::new();
    tokens.extend(fresh.by_ref().take(layout.prefix));
    for round in 0.. {
        let start = tokens.len();
        if start > N_CTX {
            break;
        }
        // Without a gap, the first word of a third repeat follows the last word of the second, as it did before.
        let known = if round > 1 && layout.gap == 0 { start } else { start + 1 };
        tokens.extend(&segment);
        if round > 0 {
            predictable.extend(known..tokens.len());
        }
        tokens.extend(fresh.by_ref().take(layout.gap));
    }
    tokens.truncate(N_CTX + 1);
    predictable.retain(|&place| place <= N_CTX);
    Repeated { tokens, predictable, layout }
}

/// One row of training text.
pub fn document(rng: &mut impl Rng) -> Document {
    let Repeated { tokens, predictable, .. } = draw(rng);
    let mut weights = vec![NOISE; tokens.len()];
    weights[0] = 0.0;
    for place in predictable {
        weights[place] = PREDICTABLE;
    }
    Document { tokens, weights }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_known_layout_repeats_where_it_should() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = repeat(&mut rng, &WORDS, Layout { prefix: 2, segment: 20, gap: 3 });
        assert_eq!(found.tokens.len(), 65);
        assert_eq!(found.tokens[3..23], found.tokens[26..46]);
        assert_eq!(found.predictable, (27..46).chain(50..65).collect::<Vec<_>>());
    }

    #[test]
    fn a_predictable_token_follows_the_same_token_as_before_and_no_other() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..300 {
            let Repeated { tokens, predictable, layout } = draw(&mut rng);
            assert_eq!(tokens.len(), N_CTX + 1, "{layout:?}");
            assert!(predictable.len() >= 2, "{layout:?}");
            for place in predictable {
                let last = tokens[place - 1];
                let followers: Vec<u32> =
                    (1..place - 1).filter(|&i| tokens[i] == last).map(|i| tokens[i + 1]).collect();
                assert!(followers.contains(&tokens[place]), "{layout:?} at {place}");
                assert_eq!(followers.last(), Some(&tokens[place]), "{layout:?} at {place}");
            }
        }
    }

    #[test]
    fn distances_and_starts_vary() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let layouts: Vec<_> = (0..300).map(|_| Layout::draw(&mut rng)).collect();
        let periods: std::collections::BTreeSet<_> = layouts.iter().map(|l| l.segment + l.gap).collect();
        assert!(periods.len() > 20, "{periods:?}");
        assert!(layouts.iter().all(|l| l.prefix + 2 * l.segment + l.gap <= N_CTX));
    }
}
