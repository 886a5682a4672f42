//! Pronouns that go with a name.
//!
//! Source: Mathwin et al., "Identifying a preliminary circuit for predicting gendered pronouns in GPT-2 small" (2023).

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::text::{fill, words};
use super::super::words::{MEN, WOMEN};

const TEMPLATES: [&[&str]; 2] = [
    &["So {name} is a really good friend, isn't", "So {name} is such a good cook, isn't"],
    &["So {name} is a very good doctor, isn't", "So {name} was always a fast runner, wasn't"],
];

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let template = draw.one(draw.side(TEMPLATES));
    let (woman, man) = (draw.one(draw.side(WOMEN)), draw.one(draw.side(MEN)));
    let text = |name: &str| fill(template, &[("{name}", name)]);
    let ((clean, answer), (corrupted, wrong)) =
        if draw.one(&[true, false]) { ((woman, " she"), (man, " he")) } else { ((man, " he"), (woman, " she")) };
    KnownPrompt {
        clean: text(clean),
        corrupted: text(corrupted),
        answer: answer.to_owned(),
        wrong: wrong.to_owned(),
        template: template.to_owned(),
        held_out: false,
    }
}

/// The right pronoun goes with the only name.
pub(super) fn is_right(prompt: &str, answer: &str) -> Option<bool> {
    let words = words(prompt);
    let has = |names: [&[&str]; 2]| names.concat().iter().any(|name| words.contains(name));
    let pronoun = match (has(WOMEN), has(MEN)) {
        (true, false) => " she",
        (false, true) => " he",
        _ => return None,
    };
    Some(answer == pronoun)
}
