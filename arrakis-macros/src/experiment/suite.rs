//! `hypothesis_suite!(..)`: the `main` of a target that runs claims together.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Path, Token};

use crate::krate::krate;

/// Calls the harness with the claim of each function.
pub(crate) fn suite(paths: TokenStream) -> syn::Result<TokenStream> {
    let paths = Punctuated::<Path, Token![,]>::parse_terminated.parse2(paths)?;
    if paths.is_empty() {
        let message = "list the functions with `#[test_hypothesis(bench = ..)]`: `hypothesis_suite!(module::function)`";
        return Err(syn::Error::new(proc_macro2::Span::call_site(), message));
    }
    let mut names: Vec<String> = Vec::new();
    for path in &paths {
        let name = quote!(#path).to_string();
        if names.contains(&name) {
            return Err(syn::Error::new_spanned(path, "this claim is listed twice: a family counts each once"));
        }
        names.push(name);
    }
    let (krate, claims) = (krate(), paths.into_iter().map(claim));
    Ok(quote! {
        pub(crate) fn main() -> ::std::process::ExitCode {
            #krate::harness::main(::std::vec![#(#claims()),*])
        }
    })
}

/// The function that makes the claim of a function.
fn claim(mut path: Path) -> Path {
    if let Some(last) = path.segments.last_mut() {
        last.ident = format_ident!("{}__claim", last.ident);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(paths: &str) -> String {
        suite(paths.parse().unwrap()).map_or_else(|error| error.to_string(), |tokens| tokens.to_string())
    }

    #[test]
    fn the_claims_are_listed_by_path() {
        let tokens = said("names::moves, copies");
        assert!(tokens.contains("vec ! [names :: moves__claim () , copies__claim ()]"), "{tokens}");
        assert_eq!(said("a, b, a"), "this claim is listed twice: a family counts each once");
        assert!(said("").starts_with("list the functions with `#[test_hypothesis(bench = ..)]`"));
        assert_eq!(said("1"), "expected identifier");
    }
}
