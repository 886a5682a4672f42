//! Names of ours in a function of somebody else.

use proc_macro2::Span;
use syn::Ident;

/// A name of ours inside a user's function, which no name of theirs can be.
pub(super) fn internal(name: &str) -> Ident {
    Ident::new(&format!("__arrakis_{name}"), Span::mixed_site())
}
