//! Indirect objects beside sentences with three other names.
//!
//! Source: the ABC distribution of Wang et al., "Interpretability in the Wild" (2022), <https://arxiv.org/abs/2211.00593>.

use super::super::draw::Draw;
use super::super::known::KnownPrompt;
use super::super::words::{HELD_OUT_NAMES, NAMES};
use super::name_mover::Sentence;

pub(super) use super::name_mover::is_right;

pub(super) fn make(draw: &mut Draw) -> KnownPrompt {
    let sentence = Sentence::draw(draw);
    let names = draw.side([&NAMES[..], &HELD_OUT_NAMES]);
    let others: Vec<&str> = names.iter().copied().filter(|name| !sentence.people.contains(name)).collect();
    let other = draw.some(&others, 3);
    sentence.prompt(|sentence, _| sentence.with(other[0], other[1], other[2]))
}
