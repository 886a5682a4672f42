//! `#[test_hypothesis(..)]`: the claim as a struct, and the test that `cargo test` runs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Expr, Ident};

use super::arguments::{Arguments, BenchFrom};
use super::function::Function;
use super::options::Options;

/// Keys that are not fields of the runtime's options.
const HANDLED: [&str; 5] = ["bench", "null", "statistic", "args", "groups"];

/// What must be said, and the words that say it.
const NEEDED: [(&str, &str); 2] = [
    ("claim", "a sentence: `claim = \"..\"`"),
    ("null", "what to hold the result against: `null = 0.0`, a `Vec`, or `|bench, seed| ..`"),
];

/// Reports everything that is missing or cannot be.
pub(crate) fn check(options: &Options, function: &Function, arguments: &Arguments) -> syn::Result<()> {
    for (key, words) in NEEDED {
        if options.get(key).is_none() {
            return Err(syn::Error::new(function.sig.ident.span(), format!("`#[test_hypothesis]` needs {words}")));
        }
    }
    if let Some((key, _)) = options.lists.iter().find(|(key, _)| key != "args") {
        return Err(syn::Error::new(key.span(), format!("`{key}` is written `{key} = ..`")));
    }
    let args = options.list("args");
    let Some(bench) = options.get("bench") else {
        return match args {
            Some((key, _)) => Err(syn::Error::new(
                key.span(),
                "`args(..)` are for the test, which is written only where `bench = ..` says what to run it on",
            )),
            None => Ok(()),
        };
    };
    if arguments.method {
        return Err(syn::Error::new_spanned(
            bench,
            "a test calls the function by its name, and this one takes `self`: leave `bench` out, or make it a free function",
        ));
    }
    let given = args.map_or(0, |(_, values)| values.len());
    if given != arguments.passed {
        let span = args.map_or_else(|| function.sig.ident.span(), |(key, _)| key.span());
        let message = format!(
            "the test calls `{}` with {given} arguments beside the bench, it takes {}: give them as `args(..)`",
            function.sig.ident, arguments.passed
        );
        return Err(syn::Error::new(span, message));
    }
    Ok(())
}

/// The claim's options, their enums in scope.
pub(crate) fn options(options: &Options) -> TokenStream {
    let fields = options.as_struct(&quote!(::arrakis::__private::HypothesisOptions), &HANDLED);
    let groups = options.get("groups").map(|groups| quote!(.groups(#groups)));
    quote!({
        let options = {
            #[allow(unused_imports)]
            use ::arrakis::hypothesis::{Alternative, Alternative::*, Test, Test::*};
            #fields
        };
        options #groups
    })
}

/// What the result is held against, with its words as written.
pub(crate) fn null(options: &Options) -> TokenStream {
    let Some(null) = options.get("null") else {
        return TokenStream::new();
    };
    let words = words(null);
    match null {
        Expr::Closure(_) => quote!(::arrakis::__private::draws(#words, #null)),
        value => quote!(::arrakis::__private::null(#words, #value)),
    }
}

fn words(null: &Expr) -> String {
    match null {
        Expr::Closure(_) => "draws of the null".to_owned(),
        value => quote!(#value).to_string(),
    }
}

/// How the result is described and measured.
pub(crate) fn see(hypothesis: Option<&Options>, value: &Ident) -> TokenStream {
    match hypothesis.map(|options| options.get("statistic")) {
        None => quote!(::arrakis::__see!(#value)),
        Some(None) => quote!(::arrakis::__see!(#value, measured)),
        Some(Some(statistic)) => quote!(::arrakis::__see!(#value, by #statistic)),
    }
}

/// `#[test] fn name__holds()`, where there is a bench to run it on.
pub(crate) fn test(options: &Options, function: &Function, arguments: &Arguments) -> TokenStream {
    let Some(bench) = options.get("bench") else {
        return TokenStream::new();
    };
    let name = &function.sig.ident;
    let test = format_ident!("{name}__holds");
    let args = options.list("args").map_or(&[][..], |(_, values)| values);
    let lent = matches!(arguments.bench, BenchFrom::Argument(_)).then(|| quote!(__arrakis_bench,));
    let text = name.to_string();
    quote! {
        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn #test() {
            ::arrakis::__private::assert_holds(#text, #bench, |__arrakis_bench| {
                let __arrakis_value = #name(#lent #(#args),*);
                ::arrakis::__see!(&__arrakis_value)
            });
        }
    }
}
