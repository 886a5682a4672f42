//! Reads the options inside an attribute: `key = value` pairs and `key(a, b)` lists.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Token, parenthesized};

use super::names::is_known;
use super::{A_PLOT, Attribute, Form, Known, unknown, values};
use crate::mistakes::Mistakes;

/// One given option.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) key: Ident,
    pub(crate) known: &'static Known,
    pub(crate) content: Content,
}

/// What follows the key.
#[derive(Debug)]
pub(crate) enum Content {
    Nothing,
    Value(Box<Expr>),
    /// What is inside the brackets.
    List(TokenStream),
}

/// The options of one attribute. If one is wrong, the others are still read. Each must be known and given once.
pub(crate) fn read(attribute: &Attribute, args: TokenStream, mistakes: &mut Mistakes) -> Vec<Given> {
    let mut options: Vec<Given> = Vec::new();
    let read = |input: ParseStream| {
        while !input.is_empty() {
            match one(attribute, input) {
                Ok(given) if given.known.form != Form::Plot && is_given(&options, &given) => {
                    mistakes.at(given.key.span(), format!("`{}` is given twice", given.key));
                }
                Ok(given) => options.push(given),
                Err(mistake) => {
                    mistakes.add(mistake);
                    skip_to_next(input);
                    continue;
                }
            }
            if let Err(mistake) = end_of_option(input) {
                mistakes.add(mistake);
                if !starts_option(input) {
                    skip_to_next(input);
                }
            }
        }
        Ok(())
    };
    read.parse2(args).expect("BUG: the reader stops at the end");
    options
}

fn is_given(options: &[Given], given: &Given) -> bool {
    options.iter().any(|other| other.known == given.known)
}

/// The values and options inside the bracket of a plot: `"blocks.*.attn.pattern", title = ".."`.
pub(crate) fn read_call(attribute: &Attribute, args: TokenStream, mistakes: &mut Mistakes) -> (Vec<Expr>, Vec<Given>) {
    let mut values = Vec::new();
    let mut named = TokenStream::new();
    let read = |input: ParseStream| {
        while !input.is_empty() && !is_named(input) {
            values.push(input.parse()?);
            end_of_option(input)?;
        }
        named = input.parse()?;
        Ok(())
    };
    let read: syn::Result<()> = read.parse2(args);
    mistakes.catch(read);
    (values, self::read(attribute, named, mistakes))
}

/// Whether an option with a name follows, however it is written.
fn is_named(input: ParseStream) -> bool {
    let ahead = input.fork();
    ahead.call(Ident::parse_any).is_ok() && (ahead.peek(Token![=]) || ahead.peek(Token![:]) && !ahead.peek(Token![::]))
}

fn one(attribute: &Attribute, input: ParseStream) -> syn::Result<Given> {
    if !input.peek(Ident::peek_any) {
        return Err(unnamed(attribute, input));
    }
    let key = Ident::parse_any(input)?;
    let name = key.unraw().to_string();
    let Some(known) = attribute.find(&name) else {
        if attribute.plots && input.peek(syn::token::Paren) && !is_known(&name, attribute) {
            let inside;
            parenthesized!(inside in input);
            return Ok(Given { key, known: &A_PLOT, content: Content::List(inside.parse()?) });
        }
        if is_assignment(input) {
            // Commas inside the value are passed over.
            input.parse::<Token![=]>().and_then(|_| input.parse::<Expr>()).ok();
        }
        return Err(syn::Error::new(key.span(), unknown(&name, attribute)));
    };
    content(&key, known, input).map(|content| Given { key, known, content })
}

/// Something that has no key.
fn unnamed(attribute: &Attribute, input: ParseStream) -> syn::Error {
    if input.peek(Token![#]) {
        return input.error(format!("write this attribute above the function, not inside {}", attribute.shown()));
    }
    let meant = input.fork().parse::<LitStr>().ok().and_then(|text| values::text_option(attribute.options, &text));
    let [first, ..] = attribute.options else { unreachable!("BUG: an attribute has options") };
    let such_as = meant.unwrap_or_else(|| first.usage());
    input.error(format!("write options with their name, such as {such_as}"))
}

fn content(key: &Ident, known: &'static Known, input: ParseStream) -> syn::Result<Content> {
    let alone = input.is_empty() || input.peek(Token![,]);
    if alone && known.form == Form::Flag {
        return Ok(Content::Nothing);
    }
    if alone {
        return Err(syn::Error::new(key.span(), format!("`{key}` needs a value: {}", known.usage())));
    }
    let wrong_form = || match known.form {
        Form::Flag => format!("write `{key}` alone, or `{key} = ..`"),
        _ => format!("write `{key}` as {}", known.usage()),
    };
    let (list, assigned) = (input.peek(syn::token::Paren), is_assignment(input));
    match known.form {
        Form::List if list => {
            let inside;
            parenthesized!(inside in input);
            Ok(Content::List(inside.parse()?))
        }
        Form::Sets(_) | Form::Value | Form::Flag if assigned => {
            value(key, known, input).map(|value| Content::Value(Box::new(value)))
        }
        _ if list || assigned => Err(syn::Error::new(key.span(), wrong_form())),
        _ => Err(input.error(wrong_form())),
    }
}

/// Whether a single `=` follows.
fn is_assignment(input: ParseStream) -> bool {
    input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>])
}

fn value(key: &Ident, known: &'static Known, input: ParseStream) -> syn::Result<Expr> {
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(key.span(), format!("`{key}` needs a value: {}", known.usage())));
    }
    let value: Expr = input.parse()?;
    if let Expr::Assign(second) = &value {
        let message = format!("`{key}` has one value; separate options with commas");
        return Err(syn::Error::new(second.eq_token.span, message));
    }
    values::check(known, &value).map(|()| value)
}

/// The comma after an option, or the end.
pub(crate) fn end_of_option(input: ParseStream) -> syn::Result<()> {
    if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
        return Ok(());
    }
    Err(input.error("separate options with commas: one is missing before this"))
}

/// Skips what is left of a wrong option.
pub(crate) fn skip_to_next(input: ParseStream) {
    while !input.is_empty() {
        let comma = input.parse::<Option<Token![,]>>().ok().flatten();
        if comma.is_some() && (input.is_empty() || starts_option(input)) {
            return;
        }
        if comma.is_none() && input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// Whether an option begins here: a word, and nothing that continues an expression.
fn starts_option(input: ParseStream) -> bool {
    let ahead = input.fork();
    let word = ahead.call(Ident::parse_any).is_ok();
    word && (ahead.is_empty() || ahead.peek(Token![,]) || ahead.peek(syn::token::Paren) || is_assignment(&ahead))
}
