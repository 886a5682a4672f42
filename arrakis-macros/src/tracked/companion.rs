//! The hidden type of a tracked constant.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Item, Visibility};

use super::note::Note;
use crate::experiment::{internal, notes};
use crate::krate::krate;

/// The companion of a `const` or a `static`. `attribute` is the place of `#[tracked]`, if it is on this item and not around it.
pub(super) fn of(item: &Item, attribute: Option<Span>) -> Option<TokenStream> {
    match item {
        Item::Const(constant) if constant.ident != "_" => {
            Some(companion(&constant.ident, &constant.vis, item, attribute))
        }
        Item::Static(constant) => Some(companion(&constant.ident, &constant.vis, item, attribute)),
        _ => None,
    }
}

/// The hidden type of a tracked constant, which knows the constant's text.
fn companion(name: &Ident, vis: &Visibility, item: &impl ToTokens, attribute: Option<Span>) -> TokenStream {
    let (krate, to, code) = (krate(), internal("to"), item.to_token_stream());
    let note = Note::of(name, &code, &code, attribute);
    let (helper, others) = (note.helper(), notes(&without(&code, name), &to));
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, unreachable_pub, clippy::upper_case_acronyms)]
        #vis enum #name {}
        impl #krate::__private::Constant for #name {
            fn note(#to: &mut #krate::__private::Noted) {
                if #to.note(#helper) {
                    #(#others)*
                }
            }
        }
    }
}

/// The code without a name, which is its own.
fn without(code: &TokenStream, name: &Ident) -> TokenStream {
    code.clone().into_iter().filter(|token| !matches!(token, TokenTree::Ident(ident) if ident == name)).collect()
}
