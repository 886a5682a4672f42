//! The claim on its bench, for `cargo test` and for a suite.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Expr, Ident};

use super::super::arguments::{Arguments, BenchFrom};
use super::super::attributes::Attributes;
use super::super::function::Function;
use super::super::internal::internal;
use super::super::options::Options;
use crate::krate::krate;
use crate::mistakes::Mistakes;

/// The bench of the generated test. In a method without a bench argument, `bench = self.bench` only says where the bench
/// is.
pub(super) fn tested_on<'a>(options: &'a Options, arguments: &Arguments) -> Option<&'a Expr> {
    let only_where = arguments.method && matches!(arguments.bench, BenchFrom::Expression(_));
    options.get("bench").filter(|_| !only_where)
}

/// Whether `seeds` and `resample` vary something.
pub(super) fn check_repeats(options: &Options, function: &Function, arguments: &Arguments, mistakes: &mut Mistakes) {
    if let Some(key) = options.key("seeds").filter(|_| matches!(arguments.bench, BenchFrom::Expression(_))) {
        mistakes.at(key.span(), "`seeds` are those of the bench: add an argument `bench: &Bench`");
    }
    let Some(asked) = options.get("resample").filter(|_| mistakes.is_empty()) else { return };
    if resampled(options, arguments).is_none() {
        let names: Vec<String> = arguments.names.iter().flatten().map(ToString::to_string).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = format!(
            "`{}` has no argument `{}` to resample; its arguments are: {names}",
            function.sig.ident,
            quote!(#asked)
        );
        mistakes.add(syn::Error::new_spanned(asked, message));
    }
}

/// The index of the argument that is resampled.
fn resampled(options: &Options, arguments: &Arguments) -> Option<usize> {
    let Expr::Path(path) = options.get("resample")? else { return None };
    let asked: &Ident = path.path.get_ident()?;
    arguments.names.iter().position(|name| name.as_ref() == Some(asked))
}

/// `fn name__claim()`, the claim on its bench, and `#[test] fn name__holds()`, if there is a bench.
pub(crate) fn test(
    options: &Options,
    attributes: &Attributes,
    function: &Function,
    arguments: &Arguments,
) -> TokenStream {
    let Some(bench) = tested_on(options, arguments) else {
        return TokenStream::new();
    };
    let (name, vis, krate, on_test) = (&function.sig.ident, &function.vis, krate(), &attributes.on_test);
    let (claim, test) = (format_ident!("{name}__claim"), format_ident!("{name}__holds"));
    let conditions = on_test.iter().filter(|attr| attr.path().is_ident("cfg"));
    let (text, call) = (name.unraw().to_string(), call(options, function, arguments));
    let marks = marks(options, on_test);
    quote! {
        #[cfg(test)]
        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_snake_case, dead_code, deprecated)]
        #vis fn #claim() -> #krate::__private::Case {
            #[allow(unused_imports)]
            use #krate::__private::{self as __arrakis, traits::*};
            __arrakis::Case::new(::core::module_path!(), #text, || __arrakis::BenchSource::hold(#bench), #call)#marks
        }

        #[cfg(test)]
        #[test]
        #(#on_test)*
        #[allow(non_snake_case)]
        fn #test() {
            #claim().assert_holds();
        }
    }
}

/// Calls the function with the bench and the draw that it is given.
fn call(options: &Options, function: &Function, arguments: &Arguments) -> TokenStream {
    let name = &function.sig.ident;
    let (lent, draw, error) = (internal("bench"), internal("draw"), internal("error"));
    let (args, varied) = (options.list("args").map_or(&[][..], |(_, values)| values), resampled(options, arguments));
    let pass = |(at, arg): (usize, &Expr)| match arg {
        _ if varied != Some(at) => quote!(#arg),
        // The argument is resampled before it is borrowed.
        Expr::Reference(borrowed) => {
            let inner = &borrowed.expr;
            quote!(&__arrakis::resampled(#inner, #draw))
        }
        arg => quote!(__arrakis::resampled(#arg, #draw)),
    };
    let mut passed: Vec<TokenStream> = args.iter().enumerate().map(pass).collect();
    if matches!(arguments.bench, BenchFrom::Argument(_)) {
        passed.insert(arguments.before_bench.min(passed.len()), quote!(#lent));
    }
    let called = quote!(#name(#(#passed),*));
    let called = if function.sig.asyncness.is_some() { quote!(__arrakis::block_on(#called)) } else { called };
    quote! {
        |#lent, #draw| (&&__arrakis::Probe(&#called))
            .arrakis_split(|_| (), |#error| (&&&&&__arrakis::Probe(#error)).arrakis_message())
    }
}

/// What a suite must know besides: repeats, and the attributes of tests.
fn marks(options: &Options, on_test: &[Attribute]) -> TokenStream {
    let has = |word: &str| on_test.iter().any(|attr| attr.path().is_ident(word));
    let mut marks = TokenStream::new();
    if let Some(seeds) = options.get("seeds") {
        marks.extend(quote!(.seeds(#seeds)));
    }
    if let Some(asked) = options.get("resample") {
        let argument = quote!(#asked).to_string();
        marks.extend(quote!(.resamples(#argument)));
    }
    for (word, mark) in [("should_panic", quote!(.rejected())), ("ignore", quote!(.ignored()))] {
        marks.extend(has(word).then_some(mark));
    }
    marks
}
