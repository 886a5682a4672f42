//! A function whose body is kept as the tokens that the user wrote.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{AttrStyle, Attribute, Signature, Token, Visibility};

use super::kind::Kind;

/// Attributes, visibility, signature and the body in its braces.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Function {
    /// A function with a body that is not `const`.
    pub(crate) fn parse(kind: Kind, item: &TokenStream) -> syn::Result<Self> {
        let name = kind.name();
        let function: Self = syn::parse2(item.clone()).map_err(|error| {
            let message = format!("`#[{name}]` goes on a function with a body, such as `fn sweep(bench: &Bench) -> Result<f64> {{ .. }}` ({error})");
            syn::Error::new(error.span(), message)
        })?;
        if let Some(token) = &function.sig.constness {
            let message = format!("`#[{name}]` cannot go on a `const` function: it acts at run time; drop the `const`");
            return Err(syn::Error::new(token.span, message));
        }
        Ok(function)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let (vis, sig) = (input.parse()?, input.parse()?);
        if input.peek(Token![;]) {
            return Err(input.error("this one has no body"));
        }
        match input.parse()? {
            TokenTree::Group(body) => {
                let body = outside(&body, &mut attrs)?;
                Ok(Self { attrs, vis, sig, body })
            }
            other => Err(syn::Error::new(other.span(), "expected a body in braces")),
        }
    }
}

/// The body without its `#![..]`, which go to the other attributes: a closure has none.
fn outside(body: &Group, attrs: &mut Vec<Attribute>) -> syn::Result<Group> {
    let split = |input: ParseStream| Ok((input.call(Attribute::parse_inner)?, input.parse::<TokenStream>()?));
    let (inner, rest) = split.parse2(body.stream())?;
    attrs.extend(inner.into_iter().map(|attr| Attribute { style: AttrStyle::Outer, ..attr }));
    let mut without = Group::new(body.delimiter(), rest);
    without.set_span(body.span());
    Ok(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Function::parse(Kind::Log, &text.parse().unwrap()).err().unwrap().to_string()
    }

    #[test]
    fn the_body_is_kept_as_tokens_that_need_not_parse() {
        let function = Function::parse(Kind::Log, &"pub fn f(x: u8) -> u8 { let = ; }".parse().unwrap()).unwrap();
        assert_eq!((function.sig.ident.to_string(), function.body.to_string()), ("f".into(), "{ let = ; }".into()));
    }

    #[test]
    fn attributes_inside_the_body_are_the_functions() {
        let function = Function::parse(Kind::Log, &"fn f() { #![allow(unused)] 3 }".parse().unwrap()).unwrap();
        let attrs = &function.attrs;
        assert_eq!(quote::quote!(#(#attrs)*).to_string(), "# [allow (unused)]");
        assert_eq!(function.body.to_string(), "{ 3 }");
    }

    #[test]
    fn what_is_not_a_plain_function_is_refused() {
        assert!(problem("struct Sweep;").starts_with("`#[log_experiment]` goes on a function with a body"));
        assert!(problem("fn f(&self);").ends_with("(this one has no body)"));
        assert!(problem("const fn f() {}").contains("cannot go on a `const` function"));
    }
}
