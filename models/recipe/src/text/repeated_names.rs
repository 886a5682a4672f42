//! Repeated names after " to", " with" and " for": any name may follow these words, held-out ones included.
//!
//! Induction alone determines which name follows, not who acted, so the name-mover task with held-out names stays
//! untrained. Without such rows the model learns that held-out names never come after " to".

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::document::{Document, PREDICTABLE};
use super::mixture::Batch;
use super::vocab;
use super::words::{HELD_OUT_NAMES, OBJECTS, PLACES, PLAIN, TRAIN_NAMES};

/// The words before a name; each occurs once in a round, so that the name after it is determined.
pub const CUES: [&str; 3] = ["to", "with", "for"];

/// Adds `rows` such rows to a batch; they depend only on the seed and the step.
pub fn add(batch: &mut Batch, rows: usize, seed: u64, step: u64) {
    batch.draw(rows, seed ^ 0xEC40, step, document);
}

/// One row: rounds of the same three pairs of cue and name, in any order, with words between them.
fn document(rng: &mut impl Rng) -> Document {
    let names = if rng.random_bool(0.5) { &HELD_OUT_NAMES[..] } else { &TRAIN_NAMES };
    let mut pairs: Vec<(&str, &str)> = CUES.into_iter().zip(names.choose_multiple(rng, 3).copied()).collect();
    let words: Vec<&str> = [&PLAIN[..], &PLACES, &OBJECTS].concat();
    let mut document = Document::open();
    for round in 0..4 {
        pairs.shuffle(rng);
        for (cue, name) in &pairs {
            let count = rng.random_range(0..=4);
            document.extend((0..count).map(|_| vocab::spaced(words.choose(rng).expect("BUG: there are words"))), 0.0);
            document.push(vocab::spaced(cue), 0.0);
            document.push(vocab::spaced(name), if round > 0 { PREDICTABLE } else { 0.0 });
        }
    }
    document.close()
}

#[cfg(test)]
mod tests {
    use super::super::N_CTX;
    use super::*;

    #[test]
    fn a_predictable_name_followed_the_same_word_before() {
        let mut batch = Batch { tokens: vec![], targets: vec![], loss_mask: vec![] };
        add(&mut batch, 100, 1, 2);
        for ((tokens, targets), weights) in batch.tokens.iter().zip(&batch.targets).zip(&batch.loss_mask) {
            let asked: Vec<usize> = (0..N_CTX).filter(|pos| weights[*pos] == PREDICTABLE).collect();
            assert!(asked.len() >= 5, "{asked:?}");
            for pos in asked {
                let before = (0..pos).rev().find(|earlier| tokens[*earlier] == tokens[pos]).unwrap();
                assert_eq!(tokens[before + 1], targets[pos]);
            }
        }
    }
}
