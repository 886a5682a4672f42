//! Names of ours inside a user's function.

use proc_macro2::Span;
use syn::Ident;

/// A name of ours inside a user's function that cannot equal any of theirs.
pub(super) fn internal(name: &str) -> Ident {
    Ident::new(&format!("__arrakis_{name}"), Span::mixed_site())
}
