//! Simple sentences that use every name, so that names held out of the name-mover task are still ordinary names.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::document::{Document, TEXT};
use super::templates::{Scene, fill, filler, pick};
use super::vocab;
use super::words::{HELD_OUT_NAMES, TRAIN_NAMES};

/// `{X}` and `{Y}` stand for any two names; in none of them does the reader have to predict who receives something.
const SENTENCES: [&str; 10] = [
    "{X} and {Y} went to the {place}.",
    "{X} and {Y} were happy.",
    "{X} was at the {place} with {Y}.",
    "{X} lived near the {place}.",
    "{X} found a {object} in the {place}.",
    "The {object} was for {X}.",
    "One {time} {X} saw {Y}.",
    "Then {X} wanted to send a {object} to {Y}.",
    "There was a {object} to show to {X}.",
    "{X} came to the {place} that {time}.",
];

/// A text of simple sentences about two or three people; half of them are held out of the name-mover task.
pub fn document(rng: &mut impl Rng) -> Document {
    let mut document = Document::open();
    document.extend(vocab::encode(&text(rng)), TEXT);
    document.close()
}

fn text(rng: &mut impl Rng) -> String {
    let people = people(rng);
    let count = rng.random_range(2..=5);
    let sentences: Vec<String> =
        (0..count).map(|_| if rng.random_bool(0.2) { filler(rng) } else { sentence(rng, &people) }).collect();
    sentences.join(" ")
}

/// Three different names.
fn people(rng: &mut impl Rng) -> Vec<&'static str> {
    let names: &[&'static str] = if rng.random_bool(0.5) { &TRAIN_NAMES } else { &HELD_OUT_NAMES };
    names.choose_multiple(rng, 3).copied().collect()
}

fn sentence(rng: &mut impl Rng, people: &[&'static str]) -> String {
    let mut people = people.to_vec();
    people.shuffle(rng);
    let text = pick(rng, &SENTENCES).replace("{X}", people[0]).replace("{Y}", people[1]);
    fill(&text, &Scene::draw(rng))
}

/// Every token of the simple sentences, apart from names and scenes.
#[cfg(test)]
pub(crate) fn known_words() -> Vec<u32> {
    SENTENCES.iter().flat_map(|text| vocab::encode(&format!(" {text}"))).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::N_CTX;
    use super::*;

    #[test]
    fn texts_are_known_words_that_fit_a_row_and_round_trip() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..300 {
            let text = text(&mut rng);
            let ids = vocab::encode(&text);
            assert!(!ids.contains(&vocab::UNKNOWN_ID), "{text}");
            assert_eq!(vocab::decode(&ids), text);
            assert!(ids.len() < N_CTX, "{} tokens: {text}", ids.len());
        }
    }

    #[test]
    fn every_held_out_name_appears() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let all: String = (0..400).map(|_| text(&mut rng) + " ").collect();
        for name in HELD_OUT_NAMES {
            assert!(all.contains(name), "{name}");
        }
    }
}
