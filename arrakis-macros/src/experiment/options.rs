//! The words inside an attribute: `key = value` pairs, and the tools of `#[use_tools]`.
//!
//! No key but `bench` is known here: pairs become fields of a struct in the runtime, so a key that
//! does not exist is rustc's own error at that key.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Token, Type, parenthesized};

/// `key = value` pairs and `key(a, b)` lists, each key at most once.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) pairs: Vec<(Ident, Expr)>,
    pub(crate) lists: Vec<(Ident, Vec<Expr>)>,
}

impl Options {
    pub(crate) fn get(&self, key: &str) -> Option<&Expr> {
        self.pairs.iter().find(|(ident, _)| ident == key).map(|(_, value)| value)
    }

    pub(crate) fn list(&self, key: &str) -> Option<(&Ident, &[Expr])> {
        self.lists.iter().find(|(ident, _)| ident == key).map(|(ident, values)| (ident, values.as_slice()))
    }

    /// `Path { key: Some(value), ..Default::default() }`, without the keys handled elsewhere.
    pub(crate) fn as_struct(&self, path: &TokenStream, handled: &[&str]) -> TokenStream {
        let pairs = self.pairs.iter().filter(|(key, _)| !handled.contains(&key.to_string().as_str()));
        let fields = pairs.map(|(key, value)| {
            let value = borrowed_list(value);
            quote!(#key: ::core::option::Option::Some(#value),)
        });
        quote!(#path { #(#fields)* ..::core::default::Default::default() })
    }

    fn given(&self, key: &Ident) -> bool {
        self.pairs.iter().any(|(other, _)| other == key) || self.lists.iter().any(|(other, _)| other == key)
    }
}

/// `["a", "b"]` is given as a slice.
fn borrowed_list(value: &Expr) -> TokenStream {
    match value {
        Expr::Array(array) => quote!(&#array),
        other => quote!(#other),
    }
}

impl Parse for Options {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident =
                input.parse().map_err(|error| syn::Error::new(error.span(), "options are written `key = value`"))?;
            if options.given(&key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if input.peek(syn::token::Paren) {
                let content;
                parenthesized!(content in input);
                let values = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
                options.lists.push((key, values.into_iter().collect()));
            } else {
                value_follows(input, &key)?;
                options.pairs.push((key, input.parse()?));
            }
            comma_or_end(input)?;
        }
        Ok(options)
    }
}

fn value_follows(input: ParseStream, key: &Ident) -> syn::Result<()> {
    let equals: Option<Token![=]> = input.parse()?;
    equals.map(|_| ()).ok_or_else(|| syn::Error::new(key.span(), format!("`{key}` needs a value: `{key} = ..`")))
}

fn comma_or_end(input: ParseStream) -> syn::Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

/// The tools of `#[use_tools("logit_lens", mine = MyTool)]`: a variable and its type each.
#[derive(Default)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<(Ident, TokenStream)>,
    pub(crate) bench: Option<Expr>,
}

impl Tools {
    fn push(&mut self, name: Ident, path: TokenStream) -> syn::Result<()> {
        if self.tools.iter().any(|(other, _)| *other == name) {
            return Err(syn::Error::new(name.span(), format!("the tool `{name}` is given twice")));
        }
        self.tools.push((name, path));
        Ok(())
    }
}

impl Tools {
    /// `mine = MyTool`, `bench = expr`, or a registered name without its quotes.
    fn parse_named(&mut self, input: ParseStream) -> syn::Result<()> {
        let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), USAGE))?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            let (ident, path) = registered(&name.to_string(), name.span())?;
            return self.push(ident, path);
        }
        if name == "bench" {
            self.bench = Some(input.parse()?);
            return Ok(());
        }
        let kind: Type = input.parse()?;
        self.push(name, quote!(#kind))
    }
}

impl Parse for Tools {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut tools = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                let name: LitStr = input.parse()?;
                let (ident, path) = registered(&name.value(), name.span())?;
                tools.push(ident, path)?;
            } else {
                tools.parse_named(input)?;
            }
            comma_or_end(input)?;
        }
        Ok(tools)
    }
}

const USAGE: &str = "`#[use_tools]` takes registered names, `\"logit_lens\"`, and types, `mine = MyTool`";

/// A registered name is a type alias in one module of `arrakis`: rustc names the nearest for a typo.
fn registered(text: &str, span: Span) -> syn::Result<(Ident, TokenStream)> {
    let ident = syn::parse_str::<Ident>(text)
        .map_err(|_| syn::Error::new(span, format!("`{text}` is no tool's name: names are like `logit_lens`")))?;
    let alias = Ident::new(&ident.to_string(), span);
    let variable = Ident::new(&ident.to_string(), span.resolved_at(Span::call_site()));
    Ok((variable, quote!(::arrakis::tools::by_name::#alias)))
}
