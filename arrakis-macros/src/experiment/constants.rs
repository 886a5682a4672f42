//! Constants that code names. A constant cannot say that it is used, and an attribute does not see which constants are
//! tracked. So a tracked constant gets a type of its own name, which is imported and found wherever the constant is, and
//! code that names a constant looks for a type of that name.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Ident, Literal, TokenStream, TokenTree};
use quote::quote;

use crate::krate::krate;

/// Their constants are known, and they are no modules.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32", "u64", "u128",
    "usize",
];

/// A statement for each constant that code names: it tells `to` about the constant if that is tracked.
pub(crate) fn notes(code: &TokenStream, to: &Ident) -> Vec<TokenStream> {
    let mut found = Found::default();
    found.search(code.clone());
    let krate = krate();
    let note = |(_, module, name): &(String, TokenStream, Ident)| {
        quote! {{
            #[allow(non_camel_case_types, dead_code, clippy::upper_case_acronyms)]
            enum #name {}
            {
                #[allow(unused_imports, clippy::wildcard_imports)]
                use #module::*;
                #[allow(unused_imports)]
                use #krate::__private::traits::*;
                (&#krate::__private::Constants::<#name>::new()).arrakis_note(#to);
            }
        }}
    };
    found.constants.iter().map(note).collect()
}

/// Constants by their paths, each once.
#[derive(Default)]
struct Found {
    seen: BTreeSet<String>,
    /// The path as text, the module that is searched, and the name.
    constants: Vec<(String, TokenStream, Ident)>,
}

impl Found {
    fn search(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    // What is in an attribute is read by other macros.
                    let of_attribute =
                        group.delimiter() == Delimiter::Bracket && is_sign(tokens.get(at.wrapping_sub(1)), '#');
                    if !of_attribute {
                        self.search(group.stream());
                    }
                    at += 1;
                }
                TokenTree::Ident(_) => at = self.path(&tokens, at),
                TokenTree::Literal(literal) => {
                    self.text(literal);
                    at += 1;
                }
                TokenTree::Punct(_) => at += 1,
            }
        }
    }

    /// Names in braces: `format!("{WIDTH:>COLUMN$}")`. In a text that is no format, they are looked for as well, which does no harm.
    fn text(&mut self, literal: &Literal) {
        let text = literal.to_string();
        if !text.starts_with(['"', 'r']) {
            return;
        }
        for name in captured(&text).into_iter().filter(|name| is_constant(name)) {
            self.add(&[], false, &Ident::new(name, literal.span()));
        }
    }

    /// Reads the path that begins here, and returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut end = start + 1;
        while is_sign(tokens.get(end), ':')
            && is_sign(tokens.get(end + 1), ':')
            && matches!(tokens.get(end + 2), Some(TokenTree::Ident(_)))
        {
            end += 3;
        }
        let before = start.checked_sub(1).and_then(|before| tokens.get(before));
        let is_other = ['.', '\'', '$'].iter().any(|sign| is_sign(before, *sign))
            || ['!', '<'].iter().any(|sign| is_sign(tokens.get(end), *sign))
            || is_sign(tokens.get(end), ':') && is_sign(tokens.get(end + 1), ':');
        let rooted = start >= 2 && is_sign(before, ':') && is_sign(tokens.get(start - 2), ':');
        if let TokenTree::Ident(name) = &tokens[end - 1]
            && is_constant(&name.to_string())
            && !is_other
        {
            self.add(&tokens[start..end - 1], rooted, name);
        }
        end
    }

    fn add(&mut self, module: &[TokenTree], rooted: bool, name: &Ident) {
        let owner = module.iter().rev().find_map(|token| match token {
            TokenTree::Ident(ident) => Some(ident.to_string()),
            _ => None,
        });
        // Constants of types are tracked with their `impl`.
        if owner.as_ref().is_some_and(|owner| !is_module(owner)) {
            return;
        }
        let root = rooted.then(|| quote!(::));
        let parts = &module[..module.len().saturating_sub(2)];
        let module = if module.is_empty() { quote!(self) } else { quote!(#root #(#parts)*) };
        let text = format!("{module} {name}");
        if self.seen.insert(text.clone()) {
            self.constants.push((text, module, name.clone()));
        }
    }
}

/// The names that a format captures: `{name}`, `{name:?}`, and widths and precisions such as `{x:width$}`.
fn captured(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        // `\u{1F}` is a character, `{{` a brace.
        let is_other = rest[..open].ends_with("\\u");
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}').filter(|_| !is_other) else { continue };
        let (name, spec) = rest[..close].split_once(':').unwrap_or((&rest[..close], ""));
        found.push(name.trim());
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let widths = spec.match_indices('$').map(|(end, _)| spec[..end].rsplit(|c| !is_name(c)).next().unwrap_or(""));
        found.extend(widths);
        rest = &rest[close + 1..];
    }
    found
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// `WIDTH`, `N`, `LAYER_2`.
fn is_constant(name: &str) -> bool {
    name.starts_with(|first: char| first.is_uppercase())
        && name.chars().all(|c| c.is_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_module(name: &str) -> bool {
    name.starts_with(|first: char| first.is_lowercase() || first == '_') && !PRIMITIVES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Vec<String> {
        let mut found = Found::default();
        found.search(code.parse().unwrap());
        found.constants.into_iter().map(|(text, ..)| text).collect()
    }

    #[test]
    fn names_and_paths_of_constants_are_found_once() {
        assert_eq!(
            found("{ let x = [N; WIDTH]; f(N, a::b::LAYER_2, ::std::f64::consts::PI) + super::K }"),
            ["self N", "self WIDTH", "a :: b LAYER_2", ":: std :: f64 :: consts PI", "super K"]
        );
    }

    #[test]
    fn constants_that_a_format_captures_are_found() {
        assert_eq!(
            found(r##"{ format!("{WIDTH}-{x:>COLUMN$.LAYER_2$} {HEADS:?}", x = 1); r#"{RAW}"# }"##),
            ["self WIDTH", "self COLUMN", "self LAYER_2", "self HEADS", "self RAW"]
        );
        for text in [r#""{{WIDTH}}""#, r#""\u{FE0F}""#, r#"b"{WIDTH}""#, r#""{width} WIDTH {0} {""#, r"'{'"] {
            assert_eq!(found(text), [] as [String; 0], "{text}");
        }
    }

    #[test]
    fn types_macros_lifetimes_fields_and_constants_of_types_are_not() {
        for code in [
            "Vec::<f64>::new()",
            "x.N",
            "N!(3)",
            "A::N",
            "Self::N",
            "usize::MAX",
            "T::default()",
            "X<u8>",
            "#[cfg(A)] x",
        ] {
            assert_eq!(found(code), [] as [String; 0], "{code}");
        }
    }
}
