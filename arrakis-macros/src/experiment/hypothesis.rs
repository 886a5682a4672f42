//! `#[test_hypothesis(..)]`: the claim as a struct, and the test that `cargo test` runs.

mod case;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Expr, GenericParam, Ident, Signature};

use super::arguments::Arguments;
use super::function::Function;
use super::inputs::{Input, moving, with_kept, with_own};
use super::internal::internal;
use super::options::Options;
use super::place::Place;
use super::source::words;
use crate::mistakes::Mistakes;

pub(crate) use case::test;

/// The options that are required, and how to write them.
const NEEDED: [(&str, &str); 2] = [
    ("claim", "a sentence: `claim = \"..\"`"),
    ("null", "what to compare the result with: `null = 0.0`, a `Vec`, or `|bench, seed| ..`"),
];

/// Reports everything that is missing or impossible.
pub(crate) fn check(options: &Options, function: &Function, arguments: &Arguments, mistakes: &mut Mistakes) {
    // If an option is misspelt, no other option is called missing.
    if mistakes.is_empty() {
        for (_, words) in NEEDED.iter().filter(|(key, _)| options.get(key).is_none()) {
            mistakes.at(function.sig.ident.span(), format!("`#[test_hypothesis]` needs {words}"));
        }
    }
    match case::tested_on(options, arguments) {
        Some(bench) => check_call(bench, options, function, arguments, mistakes),
        None => {
            for name in ["args", "seeds", "resample"] {
                let Some(key) = options.key(name) else { continue };
                let shown = if name == "args" { "args(..)" } else { name };
                let message = format!("`{shown}` belongs to the generated test, which needs `bench = ..` to run on");
                mistakes.at(key.span(), message);
            }
        }
    }
}

/// Whether the test can call the function.
fn check_call(bench: &Expr, options: &Options, function: &Function, arguments: &Arguments, mistakes: &mut Mistakes) {
    if let Some((at, problem)) = uncallable(bench, function, arguments) {
        let fix = "remove `bench` here and write a test that calls the function, or make it a free function";
        mistakes.add(syn::Error::new_spanned(at, format!("{problem}: {fix}")));
        return;
    }
    let args = options.list("args");
    let given = args.map_or(0, |(_, values)| values.len());
    // If `args(..)` is written wrongly, that is already reported.
    if given != arguments.passed && mistakes.is_empty() {
        let span = args.map_or_else(|| function.sig.ident.span(), |(key, _)| key.span());
        let message = format!(
            "the test calls `{}` with {given} arguments besides the bench, but it takes {}: give them as `args(..)`",
            function.sig.ident, arguments.passed
        );
        mistakes.at(span, message);
    }
    case::check_repeats(options, function, arguments, mistakes);
}

/// What keeps a test next to the function from calling it, and where.
fn uncallable(bench: &Expr, function: &Function, arguments: &Arguments) -> Option<(TokenStream, String)> {
    let sig = &function.sig;
    if arguments.method {
        return Some((quote!(#bench), "the generated test cannot call a function that takes `self`".into()));
    }
    if let Some(token) = &sig.unsafety {
        return Some((quote!(#token), "the generated test cannot call an `unsafe` function".into()));
    }
    if let Some(param) = unknown_parameter(sig) {
        let problem = format!("the generated test cannot know `{param}`, which no argument has");
        return Some((quote!(#param), problem));
    }
    match Place::of(function)? {
        Place::Free => None,
        Place::Associated => Some((quote!(#bench), "a test cannot be generated inside an `impl` or a trait".into())),
        Place::Local => Some((quote!(#bench), "a test inside a function is never run".into())),
    }
}

/// A type or constant that the arguments do not determine.
fn unknown_parameter(sig: &Signature) -> Option<&Ident> {
    let inputs = words(sig.inputs.to_token_stream());
    let known = |name: &Ident| inputs.iter().any(|word| name == word);
    let parameters = sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    });
    parameters.into_iter().find(|name| !known(name))
}

/// `.claim(|claim| ..)`
pub(crate) fn claim(options: &Options, inputs: &[Input]) -> TokenStream {
    let claim = internal("to");
    let filled = options.set(&claim, inputs);
    let null = options.get("null").map(|null| match moving(null) {
        null @ Expr::Closure(_) => quote!(__arrakis::draws(#null)),
        null => {
            let words = quote!(#null).to_string();
            quote!(__arrakis::null(#words, #null))
        }
    });
    let null = null.map(|null| with_own(inputs, null));
    quote!(.claim(|#claim| { #(#filled;)* #null }))
}

/// How the result is described and measured, and the inputs of its own that this needs.
pub(crate) fn see(hypothesis: Option<&Options>, inputs: &[Input]) -> (TokenStream, TokenStream) {
    let (value, error) = (internal("value"), internal("error"));
    let shown = quote!((&&&&&&__arrakis::Probe(#value)).arrakis_shown());
    let (kept, success) = match hypothesis.map(|options| options.get("statistic")) {
        None => (TokenStream::new(), shown),
        Some(None) => (TokenStream::new(), quote!((#shown, __arrakis::measure(#value)))),
        Some(Some(statistic)) => {
            let (kept, statistic) = with_kept(inputs, moving(statistic).into_token_stream());
            (kept, quote!((#shown, __arrakis::measure_by(#value, #statistic))))
        }
    };
    let failure = quote!((&&&&&__arrakis::Probe(#error)).arrakis_message());
    (kept, quote!(|#value| (&&__arrakis::Probe(#value)).arrakis_split(|#value| #success, |#error| #failure)))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Attributes;
    use super::super::kind::Kind;
    use super::*;
    use crate::mistakes::tests::messages;

    /// The mistakes of a claim with these options about this function.
    fn mistakes(options: &str, item: &str) -> Vec<String> {
        let mut function = Function::parse(Kind::Hypothesis, &item.parse().unwrap()).unwrap();
        let mut mistakes = Mistakes::default();
        let attributes =
            Attributes::take(Kind::Hypothesis, options.parse().unwrap(), &mut function.attrs, &mut mistakes);
        let arguments = Arguments::of(&mut function, &attributes, &mut mistakes).unwrap();
        check(attributes.hypothesis.as_ref().unwrap(), &function, &arguments, &mut mistakes);
        mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new())
    }

    #[test]
    fn a_claim_needs_a_sentence_and_a_null() {
        assert_eq!(mistakes("claim = \"c\", null = 0.0", "fn f(bench: &Bench) {}"), [] as [String; 0]);
        assert_eq!(
            mistakes("", "fn f(bench: &Bench) {}"),
            [
                "`#[test_hypothesis]` needs a sentence: `claim = \"..\"`",
                "`#[test_hypothesis]` needs what to compare the result with: `null = 0.0`, a `Vec`, or `|bench, seed| ..`",
            ]
        );
        assert_eq!(
            mistakes("clam = \"c\", null = 0.0", "fn f(bench: &Bench) {}"),
            ["`clam` is not an option of `#[test_hypothesis]`; did you mean `claim = ..`?"]
        );
    }

    #[test]
    fn a_test_needs_the_arguments_of_the_function() {
        let claim = "claim = \"c\", null = 0.0";
        assert_eq!(
            mistakes(&format!("{claim}, bench = b, args(1)"), "fn f(bench: &Bench, x: u8) {}"),
            [] as [String; 0]
        );
        assert_eq!(
            mistakes(&format!("{claim}, bench = b"), "fn f(bench: &Bench, x: u8) {}"),
            ["the test calls `f` with 0 arguments besides the bench, but it takes 1: give them as `args(..)`"]
        );
        assert!(
            mistakes(&format!("{claim}, args(1)"), "fn f(bench: &Bench, x: u8) {}")[0]
                .starts_with("`args(..)` belongs to")
        );
    }

    #[test]
    fn repeats_belong_to_the_test_and_vary_something() {
        let claim = "claim = \"c\", null = 0.0";
        let said = |options: &str, item: &str| mistakes(&format!("{claim}, {options}"), item);
        assert_eq!(
            said("bench = b, args(p()), resample = pairs", "fn f(bench: &Bench, pairs: P) {}"),
            [] as [String; 0]
        );
        assert_eq!(
            said("seeds = 20", "fn f(bench: &Bench) {}"),
            ["`seeds` belongs to the generated test, which needs `bench = ..` to run on"]
        );
        assert_eq!(
            said("bench = b, args(p()), resample = prompts", "fn f(bench: &Bench, pairs: P) {}"),
            ["`f` has no argument `prompts` to resample; its arguments are: pairs"]
        );
        assert_eq!(
            said("bench = b, seeds = 20", "fn f() {}"),
            ["`seeds` are those of the bench: add an argument `bench: &Bench`"]
        );
        assert_eq!(
            said("bench = b, args(1), resample = \"pairs\"", "fn f(bench: &Bench, pairs: P) {}"),
            ["`resample` is an argument of the function, without quotes: `resample = pairs`"]
        );
    }

    #[test]
    fn a_method_may_name_its_bench_and_has_no_test() {
        let claim = "claim = \"c\", null = 0.0, bench = self.bench";
        assert_eq!(mistakes(claim, "fn f(&self) {}"), [] as [String; 0]);
        assert!(mistakes(&format!("{claim}, args(1)"), "fn f(&self, x: u8) {}")[0].starts_with("`args(..)` belongs"));
    }

    #[test]
    fn a_function_that_a_test_cannot_call_is_refused() {
        let said = |item| mistakes("claim = \"c\", null = 0.0, bench = b", item).join(" / ");
        let fix = "remove `bench` here and write a test that calls the function, or make it a free function";
        let refused = |problem: &str| format!("the generated test cannot {problem}: {fix}");
        assert_eq!(said("fn f(&self, bench: &Bench) {}"), refused("call a function that takes `self`"));
        assert_eq!(said("unsafe fn f(bench: &Bench) {}"), refused("call an `unsafe` function"));
        assert_eq!(said("fn f<T>(bench: &Bench) {}"), refused("know `T`, which no argument has"));
        assert_eq!(said("fn f<const N: usize>(bench: &Bench) {}"), refused("know `N`, which no argument has"));
        let determined = "fn f<'a, T, const N: usize>(bench: &'a Bench, x: &'a [T; N]) {}";
        assert_eq!(mistakes("claim = \"c\", null = 0.0, bench = b, args(&[1])", determined), [] as [String; 0]);
    }
}
