//! Spans of years.
//!
//! Source: Hanna et al., "How does GPT-2 compute greater-than?" (2023), <https://arxiv.org/abs/2305.00586>.

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::text::{fill, words};
use super::super::words::EVENTS;

const TEMPLATES: [&[&str]; 2] = [
    &["The {event} lasted from the year {c}{y} to the year {c}"],
    &["There was a {event} from the year {c}{y} to the year {c}"],
];

/// Centuries that tokenizers like GPT-2's split from their years.
const CENTURIES: [u8; 7] = [11, 12, 13, 14, 15, 16, 17];

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let template = draw.one(draw.side(TEMPLATES));
    let (century, event) = (draw.one(&CENTURIES).to_string(), draw.one(&EVENTS));
    let year: u8 = draw.one(&(10..=89).collect::<Vec<u8>>());
    let text = |year: u8| fill(template, &[("{event}", event), ("{c}", &century), ("{y}", &format!("{year:02}"))]);
    KnownPrompt {
        clean: text(year),
        corrupted: text(1),
        answer: format!("{:02}", draw.one(&(year + 1..=99).collect::<Vec<u8>>())),
        wrong: format!("{:02}", draw.one(&(2..year).collect::<Vec<u8>>())),
        template: template.to_owned(),
        held_out: false,
    }
}

/// The right year is later in the same century.
pub(super) fn is_right(prompt: &str, answer: &str) -> Option<bool> {
    let mut numbers = words(prompt).into_iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let (start, century) = (numbers.next()?, numbers.next()?);
    let year: u8 = start.strip_prefix(century)?.parse().ok()?;
    Some(answer.parse::<u8>().is_ok_and(|answer| answer > year))
}
