//! What an item tells the experiments that run it.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident};

use crate::experiment::{internal, line, notes, text_in_file};
use crate::krate::krate;

/// An item by its name, its text and the line of its name.
#[derive(Clone)]
pub(super) struct Note {
    pub(super) name: Ident,
    /// What it consists of, without attributes.
    pub(super) code: TokenStream,
    text: String,
    line: u32,
}

impl Note {
    /// `code` is what the item does, and `item` also has its attributes. `attribute` is the place of `#[tracked]`, if it is on this
    /// item and not around it.
    pub(super) fn of(name: &Ident, code: &TokenStream, item: &TokenStream, attribute: Option<Span>) -> Self {
        let first = item.clone().into_iter().next().map(|token| token.span());
        let first = attribute.or(first).unwrap_or_else(Span::call_site);
        let in_file = text_in_file(code, item, first);
        // What a macro wrote has no place in a file.
        let line = if in_file.is_some() { u32::try_from(line(name.span())).unwrap_or(0) } else { 0 };
        let text = in_file.unwrap_or_else(|| item.to_string());
        Self { name: name.clone(), code: code.clone(), text, line }
    }

    /// The item as the runtime knows it.
    pub(super) fn helper(&self) -> TokenStream {
        let (krate, name, Self { text, line, .. }) = (krate(), self.name.unraw().to_string(), self);
        quote!(#krate::__private::helper!(#name, #line, #text))
    }

    /// The statement before the body of a function. `silent` are the items it names that cannot say themselves that they
    /// are used.
    pub(super) fn statement(&self, silent: &[&Note]) -> TokenStream {
        let (krate, name, Self { text, line, code, .. }) = (krate(), self.name.unraw().to_string(), self);
        let to = internal("to");
        let constants = notes(code, &to);
        let silent = silent.iter().map(|item| {
            let helper = item.helper();
            quote!(#to.note(#helper);)
        });
        let named: TokenStream = constants.into_iter().chain(silent).collect();
        let named = if named.is_empty() { quote!(|_| ()) } else { quote!(|#to| { #named }) };
        quote!(#krate::__private::used!(#name, #line, #text, #named);)
    }
}

/// `#[hooked]`, which looks for its sites among the statements of the body itself.
pub(super) fn is_hooked(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "hooked")
}
