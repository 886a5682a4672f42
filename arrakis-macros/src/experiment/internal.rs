//! Names of ours inside a user's function.

use proc_macro2::Span;
use syn::Ident;

/// A variable of ours inside a user's function. It equals none of theirs, whatever its name: each macro has its own.
pub(crate) fn internal(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
