//! Sentences with an indirect object, drawn as in Wang et al., 2022 (their templates, appendix E).

use arrakis::models::HookedTransformer;
use rand::seq::{IndexedRandom as _, index};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// `{1}` and `{2}` are the two people in order of mention, `{S}` the one who gives.
const TEMPLATES: [&str; 15] = [
    "Then, {1} and {2} went to the {PLACE}. {S} gave a {OBJECT} to",
    "Then, {1} and {2} had a lot of fun at the {PLACE}. {S} gave a {OBJECT} to",
    "Then, {1} and {2} were working at the {PLACE}. {S} decided to give a {OBJECT} to",
    "Then, {1} and {2} were thinking about going to the {PLACE}. {S} wanted to give a {OBJECT} to",
    "Then, {1} and {2} had a long argument, and afterwards {S} said to",
    "After {1} and {2} went to the {PLACE}, {S} gave a {OBJECT} to",
    "When {1} and {2} got a {OBJECT} at the {PLACE}, {S} decided to give it to",
    "When {1} and {2} got a {OBJECT} at the {PLACE}, {S} decided to give the {OBJECT} to",
    "While {1} and {2} were working at the {PLACE}, {S} gave a {OBJECT} to",
    "While {1} and {2} were commuting to the {PLACE}, {S} gave a {OBJECT} to",
    "After the lunch, {1} and {2} went to the {PLACE}. {S} gave a {OBJECT} to",
    "Afterwards, {1} and {2} went to the {PLACE}. {S} gave a {OBJECT} to",
    "Then, {1} and {2} had a long argument. Afterwards {S} said to",
    "The {PLACE} {1} and {2} went to had a {OBJECT}. {S} gave it to",
    "Friends {1} and {2} found a {OBJECT} at the {PLACE}. {S} gave it to",
];
const PLACES: [&str; 8] = ["store", "garden", "restaurant", "school", "hospital", "office", "house", "station"];
const OBJECTS: [&str; 8] = ["ring", "kiss", "bone", "basketball", "computer", "necklace", "drink", "snack"];
const NAMES: [&str; 48] = [
    "Michael",
    "Christopher",
    "Jessica",
    "Matthew",
    "Ashley",
    "Jennifer",
    "Joshua",
    "Amanda",
    "Daniel",
    "David",
    "James",
    "Robert",
    "John",
    "Joseph",
    "Andrew",
    "Ryan",
    "Brandon",
    "Jason",
    "Justin",
    "Sarah",
    "William",
    "Jonathan",
    "Stephanie",
    "Brian",
    "Nicole",
    "Nicholas",
    "Anthony",
    "Heather",
    "Eric",
    "Elizabeth",
    "Adam",
    "Megan",
    "Melissa",
    "Kevin",
    "Steven",
    "Thomas",
    "Timothy",
    "Christina",
    "Kyle",
    "Rachel",
    "Laura",
    "Lauren",
    "Amber",
    "Brittany",
    "Danielle",
    "Richard",
    "Kimberly",
    "Jeffrey",
];

/// A sentence before its last name.
#[derive(Serialize)]
pub(crate) struct Sentence {
    pub(crate) text: String,
    /// The same with three other names, each once.
    pub(crate) unnamed: String,
    /// The indirect object, the right answer.
    pub(crate) io: u32,
    /// The subject, who gives.
    pub(crate) s: u32,
    /// Which template it is from.
    pub(crate) template: usize,
}

/// Draws sentences; the subject is mentioned first in half of them.
pub(crate) fn draw(model: &HookedTransformer, count: usize, seed: u64) -> Vec<Sentence> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let id = |name: &str| model.to_single_token(&format!(" {name}")).ok();
    let names: Vec<(&str, u32)> = NAMES.into_iter().filter_map(|name| Some((name, id(name)?))).collect();
    let mut sentence = |_| {
        let template = rng.random_range(0..TEMPLATES.len());
        let drawn: Vec<(&str, u32)> = index::sample(&mut rng, names.len(), 5).iter().map(|at| names[at]).collect();
        let (io, s) = (drawn[0], drawn[1]);
        let [place, object] = [&PLACES, &OBJECTS].map(|words| *words.choose(&mut rng).expect("BUG: there are words"));
        let first = rng.random_bool(0.5);
        let fill = |first: &str, second: &str, subject: &str| {
            let people = TEMPLATES[template].replace("{1}", first).replace("{2}", second).replace("{S}", subject);
            people.replace("{PLACE}", place).replace("{OBJECT}", object)
        };
        let (one, two) = if first { (s.0, io.0) } else { (io.0, s.0) };
        let (text, unnamed) = (fill(one, two, s.0), fill(drawn[2].0, drawn[3].0, drawn[4].0));
        Sentence { text, unnamed, io: io.1, s: s.1, template }
    };
    (0..count).map(&mut sentence).collect()
}
