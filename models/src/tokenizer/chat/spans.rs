//! Which part of a rendered conversation comes from which message.
//!
//! A template says nothing of that. The conversation is rendered a second time with a sign at either end of each content;
//! if the text is otherwise the same, the signs show where the contents are.

use std::ops::Range;

use serde_json::Value;

use super::conversation::{Seen, Writer};
use super::render::GENERATED;

/// The first character of the private planes. Signs are taken from there.
const PRIVATE: char = '\u{f0000}';

/// Whether a text has characters that could be taken for signs.
pub(super) fn has_signs(text: &str) -> bool {
    text.contains(is_sign)
}

fn is_sign(c: char) -> bool {
    c >= PRIVATE
}

/// The signs of a message: where its content starts, and where it ends.
fn signs(message: usize) -> Option<[char; 2]> {
    let sign = |offset: usize| char::from_u32(PRIVATE as u32 + u32::try_from(2 * message + offset).ok()?);
    let signs = [sign(0)?, sign(1)?];
    (signs[1] < GENERATED[0]).then_some(signs)
}

/// A text without its signs, and where in it each was.
pub(super) fn unsigned(text: &str) -> (String, Vec<(char, usize)>) {
    let (mut plain, mut found) = (String::new(), Vec::new());
    for c in text.chars() {
        if is_sign(c) { found.push((c, plain.len())) } else { plain.push(c) }
    }
    (plain, found)
}

/// Bytes of the parts that a template marks as generated.
pub(super) fn generated(signs: &[(char, usize)]) -> Vec<Range<usize>> {
    let of = |sign: char| signs.iter().filter(move |(c, _)| *c == sign).map(|(_, at)| *at);
    of(GENERATED[0]).zip(of(GENERATED[1])).map(|(start, end)| start..end).collect()
}

/// The bytes of each message's content in the text; `None` where a template leaves it out or changes it.
pub(super) fn contents(writer: &Writer<'_>, messages: &[Seen], text: &str) -> Vec<Option<Range<usize>>> {
    let signed: Vec<Seen> = messages.iter().enumerate().map(|(index, message)| with_signs(message, index)).collect();
    let found = writer.whole(&signed).map(|signed| unsigned(&signed)).ok().filter(|(plain, _)| plain == text);
    let Some((_, found)) = found else { return vec![None; messages.len()] };
    (0..messages.len()).map(|index| content(&messages[index], signs(index)?, &found, text)).collect()
}

/// A template may keep only the end of a content (an answer without its reasoning) or its start.
fn content(message: &Seen, [first, last]: [char; 2], found: &[(char, usize)], text: &str) -> Option<Range<usize>> {
    let at = |sign: char| found.iter().find(|(c, _)| *c == sign).map(|(_, at)| *at);
    let body = message.get("content")?.as_str().unwrap_or_default().trim();
    match (at(first), at(last)) {
        (Some(start), Some(end)) if start <= end => Some(start..end),
        (None, Some(end)) => {
            let kept = body.bytes().rev().zip(text[..end].bytes().rev()).take_while(|(a, b)| a == b).count();
            let start = (end - kept..end).find(|at| text.is_char_boundary(*at))?;
            Some(start + (text[start..end].len() - text[start..end].trim_start().len())..end)
        }
        (Some(start), None) => {
            let kept = body.bytes().zip(text[start..].bytes()).take_while(|(a, b)| a == b).count();
            let end = (start..=start + kept).rev().find(|at| text.is_char_boundary(*at))?;
            (end > start).then_some(start..end)
        }
        _ => None,
    }
}

/// A message with a sign at either end of its content, inside the white space that a template may trim.
fn with_signs(message: &Seen, index: usize) -> Seen {
    let mut message = message.clone();
    let Some(signs) = signs(index) else { return message };
    match message.get_mut("content") {
        Some(Value::String(content)) => *content = between(content, signs),
        Some(Value::Array(parts)) => {
            // The signs go around the only text of several parts.
            let mut texts = parts.iter_mut().filter_map(|part| part.get_mut("text"));
            if let (Some(Value::String(text)), None) = (texts.next(), texts.next()) {
                *text = between(text, signs);
            }
        }
        _ => {}
    }
    message
}

fn between(text: &str, [first, last]: [char; 2]) -> String {
    let body = text.trim();
    if body.is_empty() {
        return text.to_owned();
    }
    let (before, after) = text.split_at(text.len() - text.trim_start().len());
    let after = &after[body.len()..];
    format!("{before}{first}{body}{last}{after}")
}

/// The end of each message's turn, with its header and what closes it: where the conversation up to it ends. `None` where
/// a template does not write a longer conversation as a continuation of the shorter.
pub(super) fn ends(writer: &Writer<'_>, messages: &[Seen], text: &str) -> Vec<Option<usize>> {
    let up_to = |count: usize| {
        let (part, _) = unsigned(&writer.render(&messages[..count], false).ok()?);
        text.starts_with(&part).then_some(part.len())
    };
    (1..=messages.len()).map(up_to).collect()
}
