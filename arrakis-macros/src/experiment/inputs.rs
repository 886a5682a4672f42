//! The inputs of a call, as the generated code lists them.

use proc_macro2::TokenStream;
use quote::quote;

use super::arguments::Arguments;

/// `self` and the arguments by name, written before the body runs, because the body may move them.
pub(super) fn inputs(arguments: &Arguments) -> TokenStream {
    let this = arguments.method.then(|| quote!(("self", ::arrakis::__show!(&self))));
    let each = arguments.shown.iter().map(|name| {
        let text = name.to_string();
        quote!((#text, ::arrakis::__show!(&#name)))
    });
    let inputs = this.into_iter().chain(each);
    quote!(::std::vec![#(#inputs),*])
}
