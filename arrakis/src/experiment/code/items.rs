//! The functions and constants in a text, wherever they stand.

use super::words::{Word, words};

/// A function with a body, a `const` or a `static`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// Its tokens, with one space between them. Visibility, docs and the attributes of an experiment are left out.
    pub(crate) tokens: String,
    /// Its first and last line, counted from 1, without attributes.
    pub(crate) lines: (u32, u32),
    /// The bytes of its text, without attributes.
    bytes: (usize, usize),
}

impl Item {
    /// Its text, at the margin.
    pub(crate) fn text(&self, file: &str) -> String {
        let text = &file[self.bytes.0..self.bytes.1];
        let indent = |line: &&str| line.len() - line.trim_start().len();
        let full = text.lines().skip(1).filter(|line| !line.trim().is_empty());
        let margin = full.map(|line| indent(&line)).min().unwrap_or(0);
        let cut =
            |(index, line): (usize, &str)| line[if index == 0 { 0 } else { margin.min(indent(&line)) }..].to_owned();
        text.lines().enumerate().map(cut).collect::<Vec<_>>().join("\n")
    }
}

/// Attributes that are not a part of what a function computes.
const LEFT_OUT: [&str; 7] =
    ["doc", "tracked", "log_experiment", "use_tools", "plot_results", "profile_model", "test_hypothesis"];

/// Every item in a text, also those in other items.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let words = words(text);
    (0..words.len()).filter_map(|at| item(&words, at)).collect()
}

/// Tokens with one space between them.
pub(super) fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

/// The item whose `fn`, `const` or `static` is here.
fn item(words: &[Word], at: usize) -> Option<Item> {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word.text == text);
    let name_at = match words[at].text {
        "const" | "static" if is(at + 1, "mut") => at + 2,
        "fn" | "const" | "static" => at + 1,
        _ => return None,
    };
    let (is_function, follows) = (words[at].text == "fn", words.get(name_at + 1)?.text);
    if !(if is_function { matches!(follows, "(" | "<") } else { follows == ":" }) {
        return None;
    }
    let end = if is_function { end_of_function(words, name_at)? } else { end_of_constant(words, name_at)? };
    let start = qualifiers(words, at);
    let code = &words[start..=end];
    let attributes = attributes(words, before_visibility(words, start));
    let tokens = attributes.iter().map(|attribute| joined(attribute)).chain([joined(code)]).collect::<Vec<_>>();
    let first = code.first()?;
    Some(Item {
        name: words[name_at].text.trim_start_matches("r#").to_owned(),
        tokens: tokens.join(" "),
        lines: (first.line, code.last()?.line),
        bytes: (first.end - first.text.len(), code.last()?.end),
    })
}

/// The brace that closes the body. `None` if there is no body.
fn end_of_function(words: &[Word], mut at: usize) -> Option<usize> {
    loop {
        match words.get(at)?.text {
            "(" | "[" => at = closing(words, at)?,
            // A constant argument: `Sweep<{ N }>`.
            "{" if matches!(words[at - 1].text, "<" | ",") => at = closing(words, at)?,
            "{" => return closing(words, at),
            ";" | "}" => return None,
            _ => {}
        }
        at += 1;
    }
}

fn end_of_constant(words: &[Word], mut at: usize) -> Option<usize> {
    loop {
        match words.get(at)?.text {
            "(" | "[" | "{" => at = closing(words, at)?,
            ";" => return Some(at),
            ")" | "]" | "}" => return None,
            _ => {}
        }
        at += 1;
    }
}

/// The bracket that closes this one.
fn closing(words: &[Word], open: usize) -> Option<usize> {
    let mut awaited = Vec::new();
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.text {
            "(" => awaited.push(")"),
            "[" => awaited.push("]"),
            "{" => awaited.push("}"),
            ")" | "]" | "}" if awaited.pop() != Some(word.text) => return None,
            _ => {}
        }
        if awaited.is_empty() {
            return Some(at);
        }
    }
    None
}

/// The bracket that opens what is closed here.
fn opening(words: &[Word], close: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for at in (0..=close).rev() {
        match words[at].text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Where `const async unsafe extern "C"` before a `fn` begin.
fn qualifiers(words: &[Word], mut at: usize) -> usize {
    let is_one = |word: &Word| {
        matches!(word.text, "const" | "async" | "unsafe" | "extern" | "default") || word.text.starts_with('"')
    };
    while at > 0 && is_one(&words[at - 1]) {
        at -= 1;
    }
    at
}

/// Where `pub` or `pub(crate)` before an item begins.
fn before_visibility(words: &[Word], at: usize) -> usize {
    match at.checked_sub(1).map(|before| words[before].text) {
        Some("pub") => at - 1,
        Some(")") => match opening(words, at - 1) {
            Some(open) if open > 0 && words[open - 1].text == "pub" => open - 1,
            _ => at,
        },
        _ => at,
    }
}

/// The attributes that end here and count.
fn attributes<'a, 'b>(words: &'b [Word<'a>], mut at: usize) -> Vec<&'b [Word<'a>]> {
    let mut found = Vec::new();
    while at > 0 && words[at - 1].text == "]" {
        let Some(open) = opening(words, at - 1).filter(|open| *open > 0 && words[open - 1].text == "#") else { break };
        let path = words[open + 1..at - 1].iter().take_while(|word| !matches!(word.text, "(" | "=" | "["));
        if !path.last().is_some_and(|last| LEFT_OUT.contains(&last.text)) {
            found.push(&words[open - 1..at]);
        }
        at = open - 1;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! A file.
use std::fmt;
pub const WIDTH: usize = { 3 };

/// Doubles.
#[tracked]
#[inline]
pub(crate) const fn double<const N: usize>(x: [f64; N]) -> Sweep<{ N }> where f64: Copy {
    fn inner() { let s = \"}\"; }
    x
}
impl A {
    #[arrakis::log_experiment(seed = 7)]
    async unsafe fn run(&self, f: fn(u8) -> u8) { '{'; }
    fn declared(&self);
    static mut COUNT: u8 = 0;
}";

    #[test]
    fn every_item_is_found_with_its_tokens_and_lines() {
        let found = items(FILE);
        let shown: Vec<(&str, &str, (u32, u32))> =
            found.iter().map(|item| (&*item.name, &*item.tokens, item.lines)).collect();
        assert_eq!(
            shown,
            [
                ("WIDTH", "const WIDTH : usize = { 3 } ;", (3, 3)),
                (
                    "double",
                    "# [ inline ] const fn double < const N : usize > ( x : [ f64 ; N ] ) -> Sweep < { N } > where f64 : Copy { fn inner ( ) { let s = \"}\" ; } x }",
                    (8, 11)
                ),
                ("inner", "fn inner ( ) { let s = \"}\" ; }", (9, 9)),
                ("run", "async unsafe fn run ( & self , f : fn ( u8 ) -> u8 ) { '{' ; }", (14, 14)),
                ("COUNT", "static mut COUNT : u8 = 0 ;", (16, 16)),
            ]
        );
        assert_eq!(found[4].text(FILE), "static mut COUNT: u8 = 0;");
        let indented = "mod m {\n    fn f() {\n\n        1\n    }\n}";
        assert_eq!(items(indented)[0].text(indented), "fn f() {\n\n    1\n}");
    }

    #[test]
    fn broken_text_has_no_items() {
        for text in ["fn f(", "fn f() {", "const X: u8 = (", "fn f() { ) }", "const", "fn", "} fn f() ]"] {
            assert_eq!(items(text), [], "{text}");
        }
    }
}
