//! Years: "The war lasted from the year 1732 to the year 17" is followed by any two digits greater than 32.
//!
//! Source: Hanna et al., "How does GPT-2 compute greater-than?" (2023).

use rand::Rng;

use super::document::{Document, PREDICTABLE, TEXT};
use super::templates::{fillers, pick};
use super::words::{CENTURIES, EVENTS};
use super::{Split, vocab};

/// A sentence that ends between the digits of its last year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text of the tokens, without the initial `<|endoftext|>`.
    pub text: String,
    /// Token ids, `<|endoftext|>` first.
    pub tokens: Vec<u32>,
    /// The position whose logits predict the year, which is the last.
    pub answer_pos: usize,
    /// Last two digits of the first year, 2 to 98.
    pub start: u8,
    /// The position of those two digits.
    pub start_pos: usize,
    /// `tokens` with 01 as the first year, after which nearly every year is later (the corrupted prompt of Hanna et
    /// al.).
    pub corrupted: Vec<u32>,
}

impl Prompt {
    /// The years that come later, as tokens.
    pub fn answers(&self) -> Vec<u32> {
        (self.start + 1..100).map(vocab::year).collect()
    }

    /// The years that are not later, as tokens.
    pub fn wrong(&self) -> Vec<u32> {
        (0..=self.start).map(vocab::year).collect()
    }
}

/// The side of the split of a first year: one in five of all pairs of century and year is held out, spread over both.
pub fn side(century: u8, start: u8) -> Split {
    if (u32::from(century) * 3 + u32::from(start)).is_multiple_of(5) { Split::HeldOut } else { Split::Train }
}

/// Draws a prompt whose first year is on one side of the split; it may start with sentences that have no year.
pub fn prompt(rng: &mut impl Rng, split: Split) -> Prompt {
    let (century, start) = draw_year(rng, split);
    let count = if rng.random_bool(0.4) { 0 } else { rng.random_range(1..=3) };
    let before = fillers(rng, count);
    build(&before, pick(rng, &EVENTS), century, start)
}

fn draw_year(rng: &mut impl Rng, split: Split) -> (u8, u8) {
    loop {
        let (century, start) = (rng.random_range(CENTURIES), rng.random_range(2..=98));
        if side(century, start) == split {
            return (century, start);
        }
    }
}

fn build(before: &[String], event: &str, century: u8, start: u8) -> Prompt {
    let before: String = before.iter().flat_map(|sentence| [sentence, " "]).collect();
    let text = format!("{before}The {event} lasted from the year {century}{start:02} to the year {century}");
    let tokens: Vec<u32> = std::iter::once(vocab::END_OF_TEXT_ID).chain(vocab::encode(&text)).collect();
    let answer_pos = tokens.len() - 1;
    let start_pos = answer_pos - 4; // "32", " to", " the", " year", " 17"
    let mut corrupted = tokens.clone();
    corrupted[start_pos] = vocab::year(1);
    Prompt { text, tokens, answer_pos, start, start_pos, corrupted }
}

/// One row of training text: a training prompt, a later year drawn uniformly, and a full stop.
pub fn document(rng: &mut impl Rng) -> Document {
    let prompt = prompt(rng, Split::Train);
    let later = vocab::year(rng.random_range(prompt.start + 1..=99));
    let mut document = Document::open();
    document.extend(prompt.tokens[1..prompt.answer_pos].iter().copied(), TEXT);
    document.push(prompt.tokens[prompt.answer_pos], PREDICTABLE);
    document.push(later, PREDICTABLE);
    document.extend(vocab::encode("."), TEXT);
    document.close()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::N_CTX;
    use super::*;

    #[test]
    fn the_sentence_of_the_paper() {
        let found = build(&[], "war", 17, 32);
        assert_eq!(found.text, "The war lasted from the year 1732 to the year 17");
        assert_eq!((found.start_pos, found.answer_pos), (8, 12));
        assert_eq!(found.tokens[found.start_pos], vocab::year(32));
        assert_eq!(vocab::decode(&found.corrupted[1..]), "The war lasted from the year 1701 to the year 17");
        assert_eq!((found.answers().len(), found.wrong().len()), (67, 33));
        assert_eq!(found.answers()[0], vocab::year(33));
    }

    #[test]
    fn held_out_years_are_not_in_the_training_text() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..300 {
            let document = document(&mut rng);
            let start = document.weights.iter().position(|&weight| weight == PREDICTABLE).unwrap() - 4;
            let [century, year] =
                [0, 1].map(|i| vocab::decode(&[document.tokens[start - 1 + i]]).trim().parse().unwrap());
            assert_eq!(side(century, year), Split::Train, "{century}{year:02}");
            let later: u8 = vocab::decode(&[document.tokens[start + 5]]).parse().unwrap();
            assert!(later > year, "{year} to {later}");
        }
    }

    #[test]
    fn one_pair_in_five_is_held_out_and_every_year_trains_in_some_century() {
        let pairs = CENTURIES.flat_map(|century| (2..=98).map(move |start| (century, start)));
        let held_out = pairs.clone().filter(|&(c, s)| side(c, s) == Split::HeldOut).count();
        assert!((held_out as f64 / pairs.count() as f64 - 0.2).abs() < 0.01);
        assert!((2..=98).all(|start| CENTURIES.map(|c| side(c, start)).any(|s| s == Split::Train)));
    }

    #[test]
    fn prompts_fit_a_row() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        for _ in 0..300 {
            let found = prompt(&mut rng, Split::HeldOut);
            assert!(found.tokens.len() < N_CTX && !found.tokens.contains(&vocab::UNKNOWN_ID), "{}", found.text);
            assert_eq!(vocab::encode(&found.text), found.tokens[1..]);
        }
    }
}
