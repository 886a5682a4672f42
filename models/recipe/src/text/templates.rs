//! Sentence templates: `{A}` and `{B}` are two names in the order of introduction, `{S}` is the one that acts.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::Split;
use super::words::{ADJECTIVES, OBJECTS, PLACES, TIMES};

/// A sentence whose next word is the name other than `{S}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Introduces both names; ends a clause (`,`) or a sentence (`.`).
    pub setup: &'static str,
    /// What `{S}` does, up to the word before the answer.
    pub action: &'static str,
}

const fn template(setup: &'static str, action: &'static str) -> Template {
    Template { setup, action }
}

/// Templates of the training text; the first is from Wang et al. (2022).
const TRAIN: [Template; 14] = [
    template("When {A} and {B} went to the {place},", "{S} gave a {object} to"),
    template("Then, {A} and {B} were working at the {place}.", "{S} decided to give a {object} to"),
    template("After {A} and {B} went to the {place},", "{S} handed a {object} to"),
    template("While {A} and {B} were walking to the {place},", "{S} showed a {object} to"),
    template("Then, {A} and {B} had a long argument.", "Afterwards {S} said to"),
    template("The {place} was {adjective} when {A} met {B} there.", "Soon {S} offered the {object} to"),
    template("Then, {A} and {B} had lunch at the {place}.", "{S} wanted to bring a {object} to"),
    template("At the {place}, {A} was sitting near {B}.", "{S} passed the {object} to"),
    template("One {time} {A} found a {object} and came to the {place} with {B}.", "There {S} sold it to"),
    template("{A} and {B} were friends.", "At the {place}, {S} sent a {object} to"),
    template("When {A} saw {B} at the {place},", "{S} threw the {object} to"),
    template("After the party, {A} drove {B} to the {place}.", "There {S} promised a {object} to"),
    template("While {A} and {B} were waiting at the {place},", "{S} started to talk with"),
    template("{A} was at the {place} with {B}.", "Then {S} brought a {object} for"),
];

/// Templates held out for measuring: their words occur in training, their sentences do not.
const HELD_OUT: [Template; 4] = [
    template("When {A} and {B} had lunch at the {place},", "{S} decided to send a {object} to"),
    template("One {time} {A} and {B} came to the {place}.", "Soon {S} sold a {object} to"),
    template("While {A} was walking to the {place} with {B},", "{S} offered the {object} to"),
    template("At the {place}, {A} found {B}.", "There {S} wanted to show the {object} to"),
];

/// The templates of one side of the split.
pub fn templates(split: Split) -> &'static [Template] {
    match split {
        Split::Train => &TRAIN,
        Split::HeldOut => &HELD_OUT,
    }
}

/// Sentences without a name or an answer; they shift the text after them to other positions.
const FILLERS: [&str; 8] = [
    "The {place} was {adjective} that {time}.",
    "It was a {adjective} {time}.",
    "There was a {object} at the {place}.",
    "The {object} was near the {place}.",
    "One {time} the {place} was {adjective}.",
    "The {adjective} {object} was from the {place}.",
    "The {time} was long.",
    "It was a {time} of the {adjective} {place}.",
];

/// One sentence without a name.
pub fn filler(rng: &mut impl Rng) -> String {
    fill(pick(rng, &FILLERS), &Scene::draw(rng))
}

/// A few such sentences, joined by spaces.
pub fn fillers(rng: &mut impl Rng, count: usize) -> Vec<String> {
    (0..count).map(|_| filler(rng)).collect()
}

/// The words that fill a template, apart from names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    /// For `{place}`.
    pub place: &'static str,
    /// For `{object}`.
    pub object: &'static str,
    /// For `{adjective}`.
    pub adjective: &'static str,
    /// For `{time}`.
    pub time: &'static str,
}

impl Scene {
    /// Draws all four words.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self {
            place: pick(rng, &PLACES),
            object: pick(rng, &OBJECTS),
            adjective: pick(rng, &ADJECTIVES),
            time: pick(rng, &TIMES),
        }
    }
}

/// Fills every slot except the names.
pub fn fill(text: &str, scene: &Scene) -> String {
    let slots = [
        ("{place}", scene.place),
        ("{object}", scene.object),
        ("{adjective}", scene.adjective),
        ("{time}", scene.time),
    ];
    slots.into_iter().fold(text.to_string(), |text, (slot, word)| text.replace(slot, word))
}

/// One of our own words.
pub(crate) fn pick(rng: &mut impl Rng, words: &[&'static str]) -> &'static str {
    words.choose(rng).expect("BUG: no word list is empty")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::vocab;
    use super::*;

    const SCENE: Scene = Scene { place: "store", object: "drink", adjective: "cold", time: "day" };

    fn words(template: &Template) -> Vec<u32> {
        let text = format!(" {} {}", template.setup, template.action);
        let names = text.replace("{A}", "Mary").replace("{B}", "John").replace("{S}", "John");
        vocab::encode(&fill(&names, &SCENE))
    }

    #[test]
    fn every_template_is_in_the_vocabulary() {
        let all = TRAIN.iter().chain(&HELD_OUT);
        assert!(all.clone().all(|t| !words(t).contains(&vocab::UNKNOWN_ID)));
        let fillers = FILLERS.iter().map(|text| vocab::encode(&fill(text, &SCENE)));
        for (text, ids) in FILLERS.iter().zip(fillers) {
            assert!(!ids.contains(&vocab::UNKNOWN_ID), "{text}");
        }
    }

    #[test]
    fn held_out_templates_are_new_sentences_of_known_words() {
        let known: BTreeSet<u32> = TRAIN.iter().flat_map(words).chain(super::super::plain::known_words()).collect();
        for template in &HELD_OUT {
            let strange: Vec<u32> = words(template).into_iter().filter(|id| !known.contains(id)).collect();
            assert!(strange.is_empty(), "{template:?}: {}", vocab::decode(&strange));
            assert!(!TRAIN.contains(template));
        }
    }

    #[test]
    fn a_scene_fills_every_slot() {
        assert_eq!(
            fill("The {adjective} {object} was near the {place} that {time}.", &SCENE),
            "The cold drink was near the store that day."
        );
    }
}
