//! The options of an attribute: `key = value` pairs and `key(a, b)` lists. Each must be known and given once.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Token, parenthesized};

use super::internal::internal;
use super::kind::Kind;
use crate::mistakes::Mistakes;
use crate::options::{Form, Known, find, unknown};

/// The options written inside one attribute.
#[derive(Default)]
pub(crate) struct Options(Vec<Given>);

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
        let read = |input: ParseStream| {
            while !input.is_empty() {
                options.read_one(kind, input, mistakes)?;
                comma_or_end(input)?;
            }
            Ok(())
        };
        let read: syn::Result<()> = read.parse2(args);
        mistakes.catch(read);
        options
    }

    fn read_one(&mut self, kind: Kind, input: ParseStream, mistakes: &mut Mistakes) -> syn::Result<()> {
        let key: Ident =
            input.parse().map_err(|error| syn::Error::new(error.span(), "write options as `key = value`"))?;
        let written = Written::parse(input)?;
        let name = key.to_string();
        let Some(known) = find(kind.options(), &name) else {
            mistakes.at(key.span(), unknown(&name, kind.name(), kind.options()));
            return Ok(());
        };
        if self.0.iter().any(|given| given.key == key) {
            mistakes.at(key.span(), format!("`{key}` is given twice"));
            return Ok(());
        }
        let values = match (known.form, written) {
            (Form::Sets(_) | Form::Value, Written::Value(value)) => vec![*value],
            (Form::List, Written::List(values)) => values,
            (_, Written::Nothing) => {
                mistakes.at(key.span(), format!("`{key}` needs a value: {}", known.usage()));
                return Ok(());
            }
            (Form::List, Written::Value(_)) | (_, Written::List(_)) => {
                mistakes.at(key.span(), format!("write `{key}` as {}", known.usage()));
                return Ok(());
            }
        };
        self.0.push(Given { key, known, values });
        Ok(())
    }

    /// The value of a pair.
    pub(crate) fn get(&self, key: &str) -> Option<&Expr> {
        self.0.iter().find(|given| given.key == key)?.values.first()
    }

    /// The values of a list.
    pub(crate) fn list(&self, key: &str) -> Option<(&Ident, &[Expr])> {
        self.0.iter().find(|given| given.key == key).map(|given| (&given.key, given.values.as_slice()))
    }

    /// `target.field = value` for each option that sets one.
    pub(crate) fn set(&self, target: &Ident) -> TokenStream {
        self.setting().map(|(field, value)| fill(target, &field, &quote!(#value), shown_at(value))).collect()
    }

    /// A closure that sets the fields of its argument. The values are computed where the closure is created.
    pub(crate) fn setter(&self, kind: &TokenStream) -> TokenStream {
        let lent = internal("lent");
        let (made, filled): (Vec<_>, Vec<_>) = self
            .setting()
            .map(|(field, value)| {
                let mut made = internal(&field.to_string());
                made.set_span(shown_at(value));
                (quote!(let #made = #value;), fill(&lent, &field, &quote!(#made), shown_at(value)))
            })
            .unzip();
        let lent = if made.is_empty() { quote!(_) } else { quote!(#lent) };
        quote!({ #(#made)* ::std::boxed::Box::new(move |#lent: &mut #kind| { #(#filled)* }) })
    }

    /// The fields to set, each at its option's key, and their values.
    fn setting(&self) -> impl Iterator<Item = (Ident, &Expr)> {
        self.0.iter().filter_map(|given| match given.known.form {
            Form::Sets(field) => Some((Ident::new(field, given.key.span()), given.values.first()?)),
            Form::Value | Form::List => None,
        })
    }
}

/// The field accepts any value that converts into it. A value of a wrong type is rustc's own error at the value.
fn fill(target: &Ident, field: &Ident, value: &TokenStream, at: Span) -> TokenStream {
    quote_spanned!(at=> ::arrakis::__private::Fill::fill(&mut #target.#field, #value);)
}

/// Our generated code, with the span of the user's.
fn shown_at(value: &Expr) -> Span {
    Span::mixed_site().located_at(value.span())
}

/// What follows a key.
enum Written {
    Nothing,
    Value(Box<Expr>),
    List(Vec<Expr>),
}

impl Parse for Written {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let values = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
            return Ok(Self::List(values.into_iter().collect()));
        }
        let equals: Option<Token![=]> = input.parse()?;
        equals.map_or(Ok(Self::Nothing), |_| Ok(Self::Value(input.parse()?)))
    }
}

pub(super) fn comma_or_end(input: ParseStream) -> syn::Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;
    use crate::mistakes::tests::messages;

    fn read(kind: Kind, text: &str) -> (Options, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let options = Options::read(kind, text.parse().unwrap(), &mut mistakes);
        (options, mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new()))
    }

    #[test]
    fn pairs_and_lists_are_found_by_their_names() {
        let (options, mistakes) = read(Kind::Hypothesis, "claim = \"it is\", null = |_, s| s, args(1, x + 2),");
        assert_eq!(mistakes, [] as [String; 0]);
        assert!(matches!(options.get("null"), Some(Expr::Closure(_))) && options.get("alpha").is_none());
        assert_eq!(options.list("args").unwrap().1.len(), 2);
    }

    #[test]
    fn an_option_fills_its_field() {
        let (options, _) = read(Kind::Hypothesis, "bench = b, claim = \"it is\", alpha = 0.01");
        assert_eq!(
            options.set(&format_ident!("claim")).to_string(),
            quote! {
                ::arrakis::__private::Fill::fill(&mut claim.statement, "it is");
                ::arrakis::__private::Fill::fill(&mut claim.alpha, 0.01);
            }
            .to_string()
        );
    }

    #[test]
    fn several_mistakes_are_all_reported_and_what_is_right_is_kept() {
        let (options, mistakes) = read(Kind::Log, "sed = 1, name, tags(\"a\"), seed = 2, seed = 3, colour = 4");
        assert_eq!(
            mistakes,
            [
                "`sed` is not an option of `#[log_experiment]`; did you mean `seed = ..`?",
                "`name` needs a value: `name = ..`",
                "write `tags` as `tags = ..`",
                "`seed` is given twice",
                "`colour` is not an option of `#[log_experiment]`; the options are `bench = ..`, `name = ..`, `seed = ..` and `tags = ..`",
            ]
        );
        assert!(options.get("seed").is_some());
    }

    #[test]
    fn what_is_not_an_option_at_all_is_said() {
        assert_eq!(read(Kind::Plot, "\"Heads\"").1, ["write options as `key = value`"]);
        assert_eq!(read(Kind::Hypothesis, "args = 3").1, ["write `args` as `args(..)`"]);
        assert_eq!(read(Kind::Profile, "bench = b").1, [] as [String; 0]);
    }
}
