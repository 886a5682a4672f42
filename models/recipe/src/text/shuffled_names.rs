//! Names among random words: the indirect object without sentences, so that no template can be learned instead.
//!
//! Two names occur in any order and anywhere, one of them a second time. After " to", " with" or " for" comes the other
//! name. In most rows plain words take the place of names, so that the rule is not learned name by name. Names held out
//! of the name-mover task do not occur.

use std::sync::LazyLock;

use rand::Rng;
use rand::seq::{IndexedRandom, index};

use super::document::{Document, PREDICTABLE};
use super::mixture::Batch;
use super::repeated_names::CUES;
use super::vocab;
use super::words::{ADJECTIVES, EVENTS, GLUE, OBJECTS, PLACES, PLAIN, TIMES, TRAIN_NAMES};

/// Every word of the sentences that is not a name.
static WORDS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    [&PLACES[..], &OBJECTS, &ADJECTIVES, &TIMES, &EVENTS, &GLUE]
        .into_iter()
        .flatten()
        .map(|word| vocab::spaced(word))
        .collect()
});

/// Possible names: the training names of the name-mover task, and plain words that are in no sentence.
static PEOPLE: LazyLock<Vec<u32>> =
    LazyLock::new(|| [&TRAIN_NAMES[..], &PLAIN].into_iter().flatten().map(|word| vocab::spaced(word)).collect());

/// Adds `rows` such rows of up to `longest` words (3 to 48) to a batch; they depend only on the seed and the step.
pub fn add(batch: &mut Batch, rows: usize, longest: usize, seed: u64, step: u64) {
    batch.draw(rows, seed ^ 0x5CA7, step, |rng| document(rng, longest));
}

/// One row: up to `longest` words with three names among them, a cue, the answer.
fn document(rng: &mut impl Rng, longest: usize) -> Document {
    let length = rng.random_range(3..=longest);
    let mut words: Vec<u32> = (0..length).map(|_| *WORDS.choose(rng).expect("BUG: there are words")).collect();
    let names: Vec<u32> = PEOPLE.choose_multiple(rng, 2).copied().collect();
    let mut places = index::sample(rng, length, 3).into_vec();
    places.sort_unstable();
    let subject = rng.random_range(0..2);
    for (place, name) in places.into_iter().zip([names[0], names[1], names[subject]]) {
        words[place] = name;
    }
    let mut document = Document::open();
    document.extend(words, 0.0);
    document.push(vocab::spaced(CUES.choose(rng).expect("BUG: there are cues")), 0.0);
    document.push(names[1 - subject], PREDICTABLE);
    document.close()
}

#[cfg(test)]
mod tests {
    use super::super::N_CTX;
    use super::*;

    #[test]
    fn the_answer_is_the_name_that_occurred_once() {
        let mut batch = Batch { tokens: vec![], targets: vec![], loss_mask: vec![] };
        add(&mut batch, 200, 48, 1, 2);
        for ((tokens, targets), weights) in batch.tokens.iter().zip(&batch.targets).zip(&batch.loss_mask) {
            let asked: Vec<usize> = (0..N_CTX).filter(|pos| weights[*pos] == PREDICTABLE).collect();
            let [pos] = asked[..] else { panic!("one prediction a row") };
            let before: Vec<u32> = tokens[..=pos].iter().copied().filter(|id| PEOPLE.contains(id)).collect();
            assert_eq!(before.len(), 3);
            assert_eq!(before.iter().filter(|id| **id == targets[pos]).count(), 1);
        }
    }

    #[test]
    fn a_step_gives_the_same_rows() {
        let rows = |step| {
            let mut batch = Batch { tokens: vec![], targets: vec![], loss_mask: vec![] };
            add(&mut batch, 3, 3, 1, step);
            batch
        };
        assert_eq!(rows(4), rows(4));
        assert_ne!(rows(4), rows(5));
    }
}
