//! An experiment that is the `#[hooked]` forward of a module. Whichever attribute is above, `#[hooked]` rewrites the body
//! that the user wrote, and the experiment records the text that the user wrote.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, ImplItemFn, Meta, Path};

use super::attributes::Attributes;
use super::function::Function;
use super::kind::Kind;
use crate::hooked::expand;
use crate::krate::krate;

/// The item with `#[hooked]` below the attributes of an experiment, if it has any.
pub(crate) fn below(args: &TokenStream, item: &TokenStream) -> Option<TokenStream> {
    let mut method = syn::parse2::<ImplItemFn>(item.clone()).ok()?;
    if method.attrs.iter().all(|attr| Kind::of(attr.path()).is_none()) {
        return None;
    }
    let krate = krate();
    method.attrs.push(syn::parse_quote!(#[#krate::hooked(#args)]));
    Some(method.into_token_stream())
}

/// The function with its body as `#[hooked]` rewrites it, if it has that attribute.
pub(super) fn rewritten(mut function: Function, attributes: &mut Attributes) -> syn::Result<Function> {
    let Some(at) = function.attrs.iter().position(is_hooked) else { return Ok(function) };
    let attr = function.attrs.remove(at);
    attributes.taken.push(attr.path().clone());
    let args = match &attr.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let Function { attrs, vis, sig, body } = &function;
    let method = expand(args, quote!(#(#attrs)* #vis #sig #body))?;
    let method: Function = syn::parse2(method)?;
    let mut body = Group::new(function.body.delimiter(), method.body.stream());
    body.set_span(function.body.span());
    Ok(Function { attrs: method.attrs, body, ..function })
}

/// `#[hooked]` without its path, which depends on where it stands.
pub(super) fn named_plainly(attr: &Attribute) -> Attribute {
    let mut attr = attr.clone();
    if is_hooked(&attr) {
        let name: Path = syn::parse_quote!(hooked);
        match &mut attr.meta {
            Meta::List(list) if list.tokens.is_empty() => attr.meta = Meta::Path(name),
            Meta::List(list) => list.path = name,
            meta => *meta = Meta::Path(name),
        }
    }
    attr
}

fn is_hooked(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "hooked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooked_moves_below_an_experiment_and_stays_above_nothing() {
        let args: TokenStream = "skip(y)".parse().unwrap();
        let moved = |item: &str| below(&args, &item.parse().unwrap()).map(|item| item.to_string());
        assert_eq!(
            moved("#[a::use_tools] fn forward(&self) {}").unwrap(),
            "# [a :: use_tools] # [:: arrakis :: hooked (skip (y))] fn forward (& self) { }"
        );
        assert_eq!(moved("#[inline] fn forward(&self) {}"), None);
    }
}
