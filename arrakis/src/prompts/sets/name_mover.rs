//! Indirect objects.
//!
//! Source: Wang et al., "Interpretability in the Wild" (2022), <https://arxiv.org/abs/2211.00593>.

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::text::{fill, words};
use super::super::words::{HELD_OUT_NAMES, NAMES, OBJECTS, PLACES};

/// `{A}` and `{B}` are the people in the order of introduction, `{S}` is the one who gives.
const TEMPLATES: [&[&str]; 2] = [
    &[
        "When {A} and {B} went to the {place}, {S} gave a {object} to",
        "Then, {A} and {B} had a long argument. Afterwards {S} said to",
        "After {A} and {B} went to the {place}, {S} handed a {object} to",
        "While {A} and {B} were walking to the {place}, {S} showed a {object} to",
    ],
    &[
        "When {A} and {B} had lunch at the {place}, {S} decided to send a {object} to",
        "One day {A} and {B} came to the {place}. Soon {S} sold a {object} to",
        "At the {place}, {A} found {B}. There {S} wanted to show the {object} to",
    ],
];

/// A sentence with its people.
pub(super) struct Sentence {
    /// The template with place and object filled in.
    text: String,
    /// The indirect object and the subject.
    pub(super) people: [&'static str; 2],
    /// Whether the indirect object comes first.
    abba: bool,
    template: &'static str,
}

impl Sentence {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        let template = draw.one(draw.side(TEMPLATES));
        let names = draw.side([&NAMES[..], &HELD_OUT_NAMES]);
        let people = draw.some(names, 2);
        let text = fill(template, &[("{place}", draw.one(&PLACES)), ("{object}", draw.one(&OBJECTS))]);
        Self { text, people: [people[0], people[1]], abba: draw.one(&[true, false]), template }
    }

    /// The sentence with these people in the order of introduction, and this giver.
    pub(super) fn with(&self, first: &str, second: &str, giver: &str) -> String {
        fill(&self.text, &[("{A}", first), ("{B}", second), ("{S}", giver)])
    }

    /// The prompt, with the corrupted version that `corrupt` makes from the people in the order of introduction.
    pub(super) fn prompt(&self, corrupt: impl FnOnce(&Self, [&str; 2]) -> String) -> KnownPrompt {
        let [object, subject] = self.people;
        let order = if self.abba { [object, subject] } else { [subject, object] };
        KnownPrompt {
            clean: self.with(order[0], order[1], subject),
            corrupted: corrupt(self, order),
            answer: format!(" {object}"),
            wrong: format!(" {subject}"),
            template: format!("{} ({})", self.template, if self.abba { "ABBA" } else { "BABA" }),
            held_out: false,
        }
    }
}

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let sentence = Sentence::draw(draw);
    sentence.prompt(|sentence, [first, second]| sentence.with(first, second, sentence.people[0]))
}

/// The right name occurs once, and the other twice.
pub(super) fn is_right(prompt: &str, answer: &str) -> Option<bool> {
    let words = words(prompt);
    let count = |name: &str| words.iter().filter(|word| **word == name).count();
    let names = || NAMES.iter().chain(&HELD_OUT_NAMES);
    names().find(|name| count(name) == 2)?;
    Some(count(answer.trim()) == 1 && names().any(|name| *name == answer.trim()))
}
