//! The tokens of Rust code, without comments.

/// A token, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Counted from 1.
    pub(super) line: u32,
    /// The byte after its last.
    pub(super) end: usize,
}

/// Operators of several signs, longest first.
const OPERATORS: [&str; 25] = [
    "<<=", ">>=", "...", "..=", "::", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=",
    "^=", "&=", "|=", "<<", ">>", "..", "<-",
];

/// The tokens of a text. What never ends, such as a string without its last quote, goes to the end of the text.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < text.len() {
        let rest = &text[at..];
        let (length, is_word) = match blank(rest) {
            Some(length) => (length, false),
            None => (word(rest), true),
        };
        let taken = &rest[..length];
        if is_word {
            found.push(Word { text: taken, line, end: at + length });
        }
        line += taken.matches('\n').count() as u32;
        at += length;
    }
    found
}

/// The length of the white space or the comment that a text begins with.
fn blank(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some(rest.len() - rest.trim_start().len());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| block_comment(rest))
}

/// Comments in braces can hold others.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let (step, change) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth = depth.saturating_add_signed(change);
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the token that a text begins with.
fn word(rest: &str) -> usize {
    let first = rest.chars().next().map_or(' ', |first| first);
    match first {
        '"' => quoted(rest, 1),
        '\'' => character(rest),
        '0'..='9' => number(rest),
        _ if is_name(first) => named(rest),
        _ => OPERATORS.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len()),
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn name_length(rest: &str) -> usize {
    rest.find(|c: char| !is_name(c)).unwrap_or(rest.len())
}

/// A name, or a literal that begins with letters: `r"..", b'x', br#"..."#, r#type`.
fn named(rest: &str) -> usize {
    let length = name_length(rest);
    let (name, after) = rest.split_at(length);
    match (name, after.chars().next()) {
        ("r" | "br" | "cr", Some('"' | '#')) => raw(rest, length),
        ("b" | "c", Some('"')) => quoted(rest, length + 1),
        ("b", Some('\'')) => length + character(after),
        _ => length,
    }
}

/// A raw string, or a raw name.
fn raw(rest: &str, prefix: usize) -> usize {
    let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
    let start = prefix + hashes;
    if !rest[start..].starts_with('"') {
        return start + name_length(&rest[start..]);
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[start + 1..].find(&close).map_or(rest.len(), |at| start + 1 + at + close.len())
}

/// Up to the quote that closes what was opened before `start`.
fn quoted(rest: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return start + at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character in quotes, or a lifetime.
fn character(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match (signs.next(), signs.next()) {
        (Some((_, '\\')), Some((escaped, sign))) => {
            let start = escaped + sign.len_utf8();
            rest[start..].find('\'').map_or(rest.len(), |at| start + at + 1)
        }
        (Some(_), Some((close, '\''))) => close + 1,
        _ => 1 + name_length(&rest[1..]),
    }
}

/// Digits with their suffix, fraction and exponent.
fn number(rest: &str) -> usize {
    let mut length = name_length(rest);
    let digit_at = |at: usize| rest[at..].starts_with(|c: char| c.is_ascii_digit());
    if rest[length..].starts_with('.') && digit_at(length + 1) {
        length += 1 + name_length(&rest[length + 1..]);
    }
    let in_exponent = rest[..length].ends_with(['e', 'E']) && !rest.starts_with("0x");
    if in_exponent && rest[length..].starts_with(['+', '-']) && digit_at(length + 1) {
        length += 1 + name_length(&rest[length + 1..]);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn tokens_of_every_kind_are_told_apart() {
        for (code, expected) in [
            ("fn f<'a>(x:&'a u8)", "fn|f|<|'a|>|(|x|:|&|'a|u8|)"),
            ("'x' '\\'' '\\u{1F}' b'\\n' 'é'", "'x'|'\\''|'\\u{1F}'|b'\\n'|'é'"),
            (r##"r"\" br#"a"b"# r#type "a\"b" c"x""##, r##"r"\"|br#"a"b"#|r#type|"a\"b"|c"x""##),
            ("1.5e-3_f64+0x1e-1 1..2 x.0.1 7usize", "1.5e-3_f64|+|0x1e|-|1|1|..|2|x|.|0.1|7usize"),
            ("a&&b>>=c a& &b..=d|e", "a|&&|b|>>=|c|a|&|&|b|..=|d|||e"),
            ("a // b\n/* c /* d */ e */ f /// g", "a|f"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(texts(code).join("|"), expected, "{code}");
        }
    }

    #[test]
    fn a_token_has_its_line() {
        let lines: Vec<u32> = words("a\n/* \n */ b \"\n\" c").into_iter().map(|word| word.line).collect();
        assert_eq!(lines, [1, 3, 3, 4]);
    }

    /// The tokens that the compiler's own library finds, without docs, each sign alone.
    fn flat(tokens: proc_macro2::TokenStream, found: &mut Vec<String>) {
        use proc_macro2::{Delimiter, TokenTree};
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // A comment is a text; `include_str!` is code.
        let is_doc = |tree: Option<&TokenTree>| {
            let Some(TokenTree::Group(group)) = tree else { return false };
            let is_text = matches!(group.stream().into_iter().last(), Some(TokenTree::Literal(_)));
            is_text && group.stream().to_string().starts_with("doc =")
        };
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let bang = usize::from(matches!(tokens.get(at + 1), Some(TokenTree::Punct(sign)) if sign.as_char() == '!'));
            match token {
                TokenTree::Punct(sign) if sign.as_char() == '#' && is_doc(tokens.get(at + 1 + bang)) => at += 1 + bang,
                TokenTree::Group(group) => {
                    let signs = match group.delimiter() {
                        Delimiter::Parenthesis => ["(", ")"],
                        Delimiter::Brace => ["{", "}"],
                        Delimiter::Bracket => ["[", "]"],
                        Delimiter::None => ["", ""],
                    };
                    found.push(signs[0].into());
                    flat(group.stream(), found);
                    found.push(signs[1].into());
                }
                token => found.push(token.to_string()),
            }
            at += 1;
        }
    }

    /// Ours, with operators and lifetimes in their signs.
    fn signs(text: &str) -> Vec<String> {
        let split = |word: Word<'_>| match word.text {
            text if OPERATORS.contains(&text) => text.chars().map(String::from).collect(),
            text if text.starts_with('\'') && !text.ends_with('\'') => vec!["'".to_owned(), text[1..].to_owned()],
            text => vec![text.to_owned()],
        };
        words(text).into_iter().flat_map(split).collect()
    }

    #[test]
    fn every_source_of_this_crate_has_the_tokens_of_the_compilers_library() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let mut theirs = Vec::new();
                    flat(text.parse().unwrap(), &mut theirs);
                    assert_eq!(signs(&text), theirs, "{}", path.display());
                    files += 1;
                }
            }
        }
        assert!(files > 200, "{files}");
    }
}
