//! Attributes of a function that belong to its generated test.

use syn::spanned::Spanned;
use syn::{Attribute, Meta};

use super::options::Options;
use crate::mistakes::Mistakes;

/// Attributes of tests. On a function that is not a test, rustc calls them unused.
const OF_TESTS: [&str; 2] = ["ignore", "should_panic"];

/// Moves the attributes of tests out of `attrs` and copies the conditions. Without a test, those of tests are refused.
pub(crate) fn take(options: &Options, attrs: &mut Vec<Attribute>, mistakes: &mut Mistakes) -> Vec<Attribute> {
    let (moved, kept): (Vec<_>, Vec<_>) = std::mem::take(attrs).into_iter().partition(is_of_a_test);
    *attrs = kept;
    if options.get("bench").is_some() {
        let conditions = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned();
        return conditions.chain(moved).collect();
    }
    for attr in &moved {
        let message = "this is about the generated test, and without `bench = ..` no test is generated";
        mistakes.at(attr.meta.span(), message);
    }
    Vec::new()
}

/// `#[ignore]`, `#[should_panic(..)]`, or either under a condition.
fn is_of_a_test(attr: &Attribute) -> bool {
    let named = |word: &str| OF_TESTS.contains(&word);
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            list.tokens.clone().into_iter().any(|token| named(&token.to_string()))
        }
        meta => meta.path().get_ident().is_some_and(|name| named(&name.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;
    use crate::experiment::kind::Kind;
    use crate::mistakes::tests::messages;

    /// What is on the test, what stays on the function, and the mistakes.
    fn taken(options: &str) -> (String, usize, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let options = Options::read(Kind::Hypothesis, options.parse().unwrap(), &mut mistakes);
        let mut attrs: Vec<Attribute> = vec![
            parse_quote!(#[inline]),
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[ignore = "slow"]),
            parse_quote!(#[cfg_attr(miri, ignore)]),
            parse_quote!(#[cfg_attr(miri, inline)]),
            parse_quote!(#[should_panic(expected = "no")]),
        ];
        let on_test = take(&options, &mut attrs, &mut mistakes);
        let said = mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new());
        (quote!(#(#on_test)*).to_string(), attrs.len(), said)
    }

    #[test]
    fn attributes_of_tests_move_and_conditions_are_copied() {
        let expected =
            quote!(#[cfg(unix)] #[ignore = "slow"] #[cfg_attr(miri, ignore)] #[should_panic(expected = "no")]);
        assert_eq!(taken("bench = b"), (expected.to_string(), 3, vec![]));
    }

    #[test]
    fn without_a_test_they_are_refused() {
        let words = "this is about the generated test, and without `bench = ..` no test is generated";
        assert_eq!(taken("claim = \"c\""), (String::new(), 3, vec![words.to_owned(); 3]));
    }
}
