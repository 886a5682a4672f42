//! The options of an attribute of an experiment, as expressions.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Token};

use super::inputs::{Input, with_own};
use super::kind::Kind;
use super::spec::Spec;
use crate::mistakes::Mistakes;
use crate::options::{Content, Form, Known, Takes, read};

/// The options written inside one attribute.
#[derive(Default)]
pub(crate) struct Options(Vec<Given>, Vec<Spec>);

/// One given option.
struct Given {
    key: Ident,
    known: &'static Known,
    /// One value for a pair, any number for a list.
    values: Vec<Expr>,
}

impl Options {
    /// Reads the options of one attribute. If one is wrong, the others are still read.
    pub(crate) fn read(kind: Kind, args: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        for given in read(kind.attribute(), args, mistakes) {
            let values = match given.content {
                Content::List(inside) if given.known.form == Form::Plot => {
                    options.1.push(Spec::read(given.key, inside, mistakes));
                    continue;
                }
                Content::Nothing => Vec::new(),
                Content::Value(value) => vec![*value],
                Content::List(list) => {
                    let listed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(list);
                    let Some(listed) = mistakes.catch(listed) else { continue };
                    listed.into_iter().collect()
                }
            };
            options.0.push(Given { key: given.key, known: given.known, values });
        }
        options
    }

    fn given(&self, name: &str) -> Option<&Given> {
        self.0.iter().find(|given| given.known.name == name)
    }

    /// The value of a pair.
    pub(crate) fn get(&self, name: &str) -> Option<&Expr> {
        self.given(name)?.values.first()
    }

    /// The values of a list.
    pub(crate) fn list(&self, name: &str) -> Option<(&Ident, &[Expr])> {
        self.given(name).map(|given| (&given.key, given.values.as_slice()))
    }

    /// The plots.
    pub(crate) fn specs(&self) -> &[Spec] {
        &self.1
    }

    /// When a recorded result is used: the value of `cache`, if it is given.
    pub(crate) fn reuse(&self) -> Option<TokenStream> {
        let given = self.given("cache")?;
        let default = || quote!(__arrakis::Reuse::default());
        Some(given.values.first().map_or_else(default, |value| in_scope(given.known, value)))
    }

    /// The word before the `=` or the bracket.
    pub(crate) fn key(&self, name: &str) -> Option<&Ident> {
        self.given(name).map(|given| &given.key)
    }

    /// Every value.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Expr> {
        self.0.iter().flat_map(|given| &given.values).chain(self.1.iter().flat_map(Spec::values))
    }

    /// `target.field = value` for each option that sets one.
    pub(crate) fn set(&self, target: &Ident, inputs: &[Input]) -> Vec<TokenStream> {
        let set = |(field, value, at)| fill(target, &field, &with_own(inputs, value), at);
        self.setting().map(set).collect()
    }

    /// The fields to set, each at its option's key, their values, and where our code for them is shown.
    fn setting(&self) -> impl Iterator<Item = (Ident, TokenStream, Span)> {
        self.0.iter().filter_map(|given| match given.known.form {
            Form::Sets(field) => {
                let value = given.values.first()?;
                let field = Ident::new(field, given.key.span());
                Some((field, in_scope(given.known, value), shown_at(value)))
            }
            Form::Value | Form::Flag | Form::List | Form::Plot => None,
        })
    }
}

/// The value, with the variants of its enum in scope: they come before anything of the same name that the user has.
fn in_scope(known: &Known, value: &Expr) -> TokenStream {
    let Takes::VariantOf(kind) = known.takes else { return quote!(#value) };
    let kind = Ident::new(kind, Span::call_site());
    match value {
        Expr::Path(path) if path.path.get_ident().is_some_and(is_variant) => quote!(__arrakis::#kind::#value),
        Expr::Path(path) if path.path.segments.len() == 2 && path.path.segments[0].ident == kind => {
            quote!(__arrakis::#value)
        }
        _ => quote!({
            #[allow(unused_imports)]
            use __arrakis::{#kind, #kind::*};
            #value
        }),
    }
}

/// Whether this is written as variants are: `Greater`, and not `ALPHA` or `alpha`.
fn is_variant(name: &Ident) -> bool {
    let name = name.to_string();
    name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase)
}

/// The field accepts any value that converts into it. A value of a wrong type is rustc's own error at the value.
fn fill(target: &Ident, field: &Ident, value: &TokenStream, at: Span) -> TokenStream {
    quote_spanned!(at=> __arrakis::fill(&mut #target.#field, #value))
}

/// Our generated code, with the span of the user's.
fn shown_at(value: &Expr) -> Span {
    Span::mixed_site().located_at(value.span())
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;
    use crate::mistakes::tests::messages;

    fn options(kind: Kind, text: &str) -> (Options, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let options = Options::read(kind, text.parse().unwrap(), &mut mistakes);
        (options, mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new()))
    }

    #[test]
    fn pairs_and_lists_are_found_by_their_names() {
        let (options, mistakes) = options(Kind::Hypothesis, "claim = \"it is\", null = |_, s| s, args(1, x + 2),");
        assert_eq!(mistakes, [] as [String; 0]);
        assert!(matches!(options.get("null"), Some(Expr::Closure(_))) && options.get("alpha").is_none());
        assert_eq!(options.list("args").unwrap().1.len(), 2);
    }

    #[test]
    fn an_option_fills_its_field() {
        let (options, _) = options(Kind::Hypothesis, "bench = b, claim = \"it is\", test = Welch, alpha = 0.01");
        assert_eq!(
            options.set(&format_ident!("claim"), &[]).iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                quote!(__arrakis::fill(&mut claim.statement, "it is")).to_string(),
                quote!(__arrakis::fill(&mut claim.test, __arrakis::Test::Welch)).to_string(),
                quote!(__arrakis::fill(&mut claim.alpha, 0.01)).to_string(),
            ]
        );
    }

    #[test]
    fn a_list_of_something_else_than_values_is_said() {
        assert_eq!(options(Kind::Hypothesis, "args(1 2), draws = 9").1, ["expected `,`"]);
    }
}
