//! The text of a function as it is in its file, with comments, and its normalised tokens.

use std::path::PathBuf;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;

use super::function::Function;
use super::kind::Kind;
use super::together;

/// What a record keeps of the source.
pub(crate) struct Source {
    /// The lines of the item with its attributes and comments; its tokens if the file cannot be read.
    pub(crate) text: String,
    /// Every token of the signature and body, separated by one space, without comments, layout and our attributes.
    pub(crate) tokens: String,
    /// Line of the `fn`, counted from 1.
    pub(crate) line: usize,
}

impl Source {
    pub(crate) fn of(function: &Function, item: &TokenStream, attribute: Span) -> Self {
        let mut code = function.sig.to_token_stream();
        code.extend([TokenTree::Group(function.body.clone())]);
        let text = text_in_file(&code, item, attribute).unwrap_or_else(|| item.to_string());
        Self { text, tokens: normalised(function), line: line(function.sig.fn_token.span) }
    }
}

/// Other crates' attributes can change what a function does, so they count. Ours and docs do not.
fn normalised(function: &Function) -> String {
    let mut words = Vec::new();
    for attr in &function.attrs {
        if Kind::of(attr.path()).is_none() && !attr.path().is_ident("doc") {
            flatten(together::named_plainly(attr).to_token_stream(), &mut words);
        }
    }
    flatten(function.sig.to_token_stream(), &mut words);
    flatten(TokenTree::Group(function.body.clone()).into(), &mut words);
    words.join(" ")
}

/// Every token, without layout and comments.
pub(super) fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    flatten(tokens, &mut words);
    words
}

fn flatten(tokens: TokenStream, words: &mut Vec<String>) {
    let mut glued = false;
    for token in tokens {
        // `a & &b` differs from `a && b`, so joint punctuation stays together.
        let joint = matches!(&token, TokenTree::Punct(sign) if sign.spacing() == Spacing::Joint);
        match (token, words.last_mut()) {
            (TokenTree::Punct(sign), Some(last)) if glued => last.push(sign.as_char()),
            (TokenTree::Group(group), _) => {
                let (open, close) = brackets(group.delimiter());
                words.extend(open.map(str::to_owned));
                flatten(group.stream(), words);
                words.extend(close.map(str::to_owned));
            }
            (other, _) => words.push(other.to_string()),
        }
        glued = joint;
    }
}

fn brackets(delimiter: Delimiter) -> (Option<&'static str>, Option<&'static str>) {
    match delimiter {
        Delimiter::Parenthesis => (Some("("), Some(")")),
        Delimiter::Brace => (Some("{"), Some("}")),
        Delimiter::Bracket => (Some("["), Some("]")),
        Delimiter::None => (None, None),
    }
}

/// The whole lines of an item in its file, from its first attribute or the comments above to its last token. `code` is the item
/// without its attributes, and `attribute` the place of the first one. `None` if a macro wrote a part of it.
pub(crate) fn text_in_file(code: &TokenStream, item: &TokenStream, attribute: Span) -> Option<String> {
    if !proc_macro::is_available() {
        return None;
    }
    let path = file(attribute)?;
    let text = std::fs::read_to_string(&path).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    if !stands_in(&lines, &path, code.clone(), &mut (0, 0)) {
        return None;
    }
    let top = |span: Span| (file(span).as_ref() == Some(&path)).then(|| line(span));
    let first = item.clone().into_iter().filter_map(|token| top(token.span())).chain([line(attribute)]).min()?;
    let last = code.clone().into_iter().last()?.span().unwrap().end().line();
    let first = with_comments_above(&lines, first);
    Some(dedented(lines.get(first - 1..last)?))
}

/// Whether every word is in the file at its place, in order. It is not if a `macro_rules` put the words together.
fn stands_in(lines: &[&str], path: &PathBuf, tokens: TokenStream, reached: &mut (usize, usize)) -> bool {
    tokens.into_iter().all(|token| {
        let start = token.span().unwrap().start();
        let at = (start.line(), start.column());
        let in_order = file(token.span()).as_ref() == Some(path) && at >= *reached;
        *reached = at;
        in_order
            && match token {
                TokenTree::Group(group) => stands_in(lines, path, group.stream(), reached),
                TokenTree::Ident(ident) if ident != "doc" => word_at(lines, at, &ident.to_string()),
                _ => true,
            }
    })
}

fn word_at(lines: &[&str], (line, column): (usize, usize), word: &str) -> bool {
    let text = line.checked_sub(1).and_then(|index| lines.get(index));
    text.is_some_and(|text| text.chars().skip(column - 1).take(word.chars().count()).eq(word.chars()))
}

fn with_comments_above(lines: &[&str], mut first: usize) -> usize {
    while first > 1
        && lines
            .get(first - 2)
            .is_some_and(|line| line.trim_start().starts_with("//") && !line.trim_start().starts_with("//!"))
    {
        first -= 1;
    }
    first
}

fn dedented(lines: &[&str]) -> String {
    let margin =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).min();
    let kept: Vec<&str> = lines.iter().map(|line| line.get(margin.unwrap_or(0)..).unwrap_or_default()).collect();
    kept.join("\n")
}

fn file(span: Span) -> Option<PathBuf> {
    span.unwrap().local_file()
}

/// The line of a token, counted from 1; 0 outside the compiler.
pub(crate) fn line(span: Span) -> usize {
    if proc_macro::is_available() { span.unwrap().start().line() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens_of(text: &str) -> String {
        let item: TokenStream = text.parse().unwrap();
        normalised(&Function::parse(Kind::Log, &item).unwrap())
    }

    #[test]
    fn layout_comments_docs_and_our_attributes_do_not_count() {
        let plain = tokens_of("fn f(x: u32) -> u32 { x + 1 }");
        let dressed = tokens_of("/// Adds.\n#[use_tools]\nfn f(x: u32) -> u32 {\n    // one more\n    x+1\n}");
        assert_eq!(plain, "fn f ( x : u32 ) -> u32 { x + 1 }");
        assert_eq!(plain, dressed);
    }

    #[test]
    fn a_changed_number_counts() {
        assert_ne!(tokens_of("fn f() -> u32 { 1 }"), tokens_of("fn f() -> u32 { 2 }"));
        assert_ne!(tokens_of("fn f() { a & &b }"), tokens_of("fn f() { a && b }"));
    }

    #[test]
    fn indented_lines_move_to_the_margin() {
        assert_eq!(dedented(&["    fn f() {", "", "        1", "    }"]), "fn f() {\n\n    1\n}");
    }
}
