//! Sequences of words that repeat.
//!
//! Source: Olsson et al., "In-context Learning and Induction Heads" (2022), <https://arxiv.org/abs/2209.11895>.

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::text::words;
use super::super::words::{HELD_OUT_PLAIN, PLAIN};

/// How many words come before the repetition.
const LENGTHS: [usize; 3] = [6, 9, 12];

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let length = draw.one(&LENGTHS);
    let drawn = draw.some(draw.side([&PLAIN[..], &HELD_OUT_PLAIN]), length + 1);
    let (sequence, other) = (&drawn[..length], drawn[length]);
    // At least one word is repeated, and at least one is left to predict.
    let repeated = draw.one(&(1..length).collect::<Vec<usize>>());
    let changed: Vec<&str> =
        sequence.iter().enumerate().map(|(at, word)| if at == repeated { other } else { word }).collect();
    let text = |first: &[&str]| format!(" {} {}", first.join(" "), sequence[..repeated].join(" "));
    KnownPrompt {
        clean: text(sequence),
        corrupted: text(&changed),
        answer: format!(" {}", sequence[repeated]),
        wrong: format!(" {other}"),
        template: format!("{length} words"),
        held_out: false,
    }
}

/// The right word followed the last word's earlier occurrence.
pub(super) fn is_right(prompt: &str, answer: &str) -> Option<bool> {
    let words = words(prompt);
    let (last, before) = words.split_last()?;
    let at = before.iter().rposition(|word| word == last)?;
    Some(words[at + 1] == answer.trim())
}
