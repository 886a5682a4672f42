//! The training sentences with plain words as names. The model learns to take the name from the text before it alone,
//! so the rule also works for held-out names.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::document::{Document, PREDICTABLE};
use super::mixture::Batch;
use super::words::PLAIN;
use super::{Split, name_mover, vocab};

/// Adds `rows` such rows to a batch; they depend only on the seed and the step.
pub fn add(batch: &mut Batch, rows: usize, seed: u64, step: u64) {
    batch.draw(rows, seed ^ 0x57A6, step, document);
}

/// One training prompt with plain words for its two names; only its answer has a weight.
fn document(rng: &mut impl Rng) -> Document {
    let prompt = name_mover::prompt(rng, Split::Train, Split::Train);
    let people: Vec<u32> = PLAIN.choose_multiple(rng, 2).map(|word| vocab::spaced(word)).collect();
    let mut tokens = prompt.tokens;
    tokens[prompt.io_pos] = people[0];
    tokens[prompt.s1_pos] = people[1];
    tokens[prompt.s2_pos] = people[1];
    let mut document = Document::open();
    document.extend(tokens.into_iter().skip(1), 0.0);
    document.push(people[0], PREDICTABLE);
    document.close()
}

#[cfg(test)]
mod tests {
    use super::super::N_CTX;
    use super::*;
    use crate::text::words::{HELD_OUT_NAMES, TRAIN_NAMES};

    #[test]
    fn the_answer_is_the_word_that_occurred_once_and_no_name_is_left() {
        let mut batch = Batch { tokens: vec![], targets: vec![], loss_mask: vec![] };
        add(&mut batch, 200, 1, 2);
        let names: Vec<u32> = TRAIN_NAMES
            .iter()
            .chain(&HELD_OUT_NAMES)
            .flat_map(|name| [Some(vocab::spaced(name)), vocab::id(name)])
            .flatten()
            .collect();
        for ((tokens, targets), weights) in batch.tokens.iter().zip(&batch.targets).zip(&batch.loss_mask) {
            let asked: Vec<usize> = (0..N_CTX).filter(|pos| weights[*pos] == PREDICTABLE).collect();
            let [pos] = asked[..] else { panic!("one prediction a row: {asked:?}") };
            assert_eq!(tokens[..=pos].iter().filter(|id| **id == targets[pos]).count(), 1);
            assert!(tokens.iter().all(|id| !names.contains(id)));
        }
    }

    #[test]
    fn a_step_gives_the_same_rows() {
        let rows = |step| {
            let mut batch = Batch { tokens: vec![], targets: vec![], loss_mask: vec![] };
            add(&mut batch, 3, 1, step);
            batch
        };
        assert_eq!(rows(4), rows(4));
        assert_ne!(rows(4), rows(5));
    }
}
