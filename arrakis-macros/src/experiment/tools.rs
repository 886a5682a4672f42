//! The options of `#[use_tools("logit_lens", mine = MyTool)]`: a variable and its type for each tool.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, PathArguments, Token, Type};

use super::options::comma_or_end;
use crate::options::{self, nearest, unknown};

/// The tools to build, in order.
#[derive(Default)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<(Ident, TokenStream)>,
    pub(crate) bench: Option<Expr>,
}

impl Tools {
    fn push(&mut self, name: Ident, path: TokenStream) -> syn::Result<()> {
        if self.tools.iter().any(|(other, _)| *other == name) {
            return Err(syn::Error::new(name.span(), format!("the tool `{name}` is given twice")));
        }
        self.tools.push((name, path));
        Ok(())
    }

    /// `mine = MyTool`, `bench = expr`, or a registered name without its quotes.
    fn parse_named(&mut self, input: ParseStream) -> syn::Result<()> {
        let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), USAGE))?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            let (ident, path) = registered(&name.to_string(), name.span())?;
            return self.push(ident, path);
        }
        if name == "bench" {
            if self.bench.is_some() {
                return Err(syn::Error::new(name.span(), "`bench` is given twice"));
            }
            self.bench = Some(input.parse()?);
            return Ok(());
        }
        let misspelt = || {
            nearest(&name.to_string(), options::TOOLS)
                .map(|_| syn::Error::new(name.span(), unknown(&name.to_string(), "use_tools", options::TOOLS)))
        };
        let kind = input.parse::<Type>().map_err(|error| misspelt().unwrap_or(error))?;
        match misspelt().filter(|_| !names_a_type(&kind)) {
            Some(error) => Err(error),
            None => self.push(name, quote!(#kind)),
        }
    }
}

impl Parse for Tools {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut tools = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                let name: LitStr = input.parse()?;
                let (ident, path) = registered(&name.value(), name.span())?;
                tools.push(ident, path)?;
            } else {
                tools.parse_named(input)?;
            }
            comma_or_end(input)?;
        }
        Ok(tools)
    }
}

const USAGE: &str = "`#[use_tools]` takes registered names, `\"logit_lens\"`, and types, `mine = MyTool`";

/// Whether this is a type such as `MyTool`, and not a value or a call that also parses as a type.
fn names_a_type(kind: &Type) -> bool {
    let Type::Path(path) = kind else { return false };
    path.path.segments.last().is_some_and(|last| {
        let is_call = matches!(last.arguments, PathArguments::Parenthesized(_));
        !is_call && last.ident.to_string().starts_with(char::is_uppercase)
    })
}

/// A registered name is a type alias in one module of `arrakis`, so that rustc suggests the nearest for a typo.
fn registered(text: &str, span: Span) -> syn::Result<(Ident, TokenStream)> {
    let ident = syn::parse_str::<Ident>(text).map_err(|_| {
        syn::Error::new(span, format!("`{text}` is not the name of a tool: names are like `logit_lens`"))
    })?;
    let alias = Ident::new(&ident.to_string(), span);
    let variable = Ident::new(&ident.to_string(), span.resolved_at(Span::call_site()));
    Ok((variable, quote!(::arrakis::tools::by_name::#alias)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Tools, String> {
        syn::parse_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_types_become_variables() {
        let tools = read("\"logit_lens\", mine = my::Tool<u8>, write_read, bench = bench()").unwrap();
        let names: Vec<String> = tools.tools.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
        assert_eq!(
            names,
            [
                "logit_lens: :: arrakis :: tools :: by_name :: logit_lens",
                "mine: my :: Tool < u8 >",
                "write_read: :: arrakis :: tools :: by_name :: write_read"
            ]
        );
        assert!(matches!(tools.bench, Some(Expr::Call(_))));
    }

    #[test]
    fn mistakes_are_named() {
        let problem = |text| read(text).err().unwrap();
        assert_eq!(problem("3"), USAGE);
        assert_eq!(problem("\"logit lens\""), "`logit lens` is not the name of a tool: names are like `logit_lens`");
        assert_eq!(problem("\"lens\", lens = Mine"), "the tool `lens` is given twice");
        assert_eq!(problem("bench = a, bench = b"), "`bench` is given twice");
        for misspelt in ["bnech = shared()", "bnech = &shared", "bnech = shared"] {
            assert_eq!(problem(misspelt), "`bnech` is not an option of `#[use_tools]`; did you mean `bench = ..`?");
        }
        assert!(read("bunch = Bunch").is_ok());
    }
}
