//! Words that come twice in a row.

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::text::words;
use super::super::words::{HELD_OUT_PLAIN, PLAIN};

/// How many words come twice before the last.
const LENGTHS: [usize; 3] = [3, 5, 7];

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let length = draw.one(&LENGTHS);
    let drawn = draw.some(draw.side([&PLAIN[..], &HELD_OUT_PLAIN]), length + 2);
    let (twice, last, other) = (&drawn[..length], drawn[length], drawn[length + 1]);
    let text = |last: &str| {
        let doubled: Vec<String> = twice.iter().map(|word| format!(" {word} {word}")).collect();
        format!("{} {last}", doubled.concat())
    };
    KnownPrompt {
        clean: text(last),
        corrupted: text(other),
        answer: format!(" {last}"),
        wrong: format!(" {other}"),
        template: format!("{length} words twice"),
        held_out: false,
    }
}

/// The right word is the last one, after words that all come in pairs.
pub(super) fn is_right(prompt: &str, answer: &str) -> Option<bool> {
    let words = words(prompt);
    let (last, before) = words.split_last()?;
    let paired = !before.is_empty() && before.chunks(2).all(|pair| pair.len() == 2 && pair[0] == pair[1]);
    paired.then(|| *last == answer.trim())
}
