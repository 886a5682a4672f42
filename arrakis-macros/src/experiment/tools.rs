//! The options of `#[use_tools("logit_lens", mine = MyTool)]`: a variable and its type for each tool.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, FnArg, Ident, LitStr, PathArguments, Token, Type};

use super::arguments::names;
use super::function::Function;
use crate::krate::krate;
use crate::mistakes::Mistakes;
use crate::options::{TOOLS, end_of_option, skip_to_next, unknown};

/// The tools to build, in order.
#[derive(Default)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<(Ident, TokenStream)>,
    pub(crate) bench: Option<(Ident, Expr)>,
}

impl Tools {
    /// Reads what is written inside the attribute. If one tool is wrong, the others are still read.
    pub(crate) fn read(args: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut tools = Self::default();
        let read = |input: ParseStream| {
            while !input.is_empty() {
                if let Err(mistake) = tools.one(input).and_then(|()| end_of_option(input)) {
                    mistakes.add(mistake);
                    skip_to_next(input);
                }
            }
            Ok(())
        };
        read.parse2(args).expect("BUG: the reader stops at the end");
        tools
    }

    fn one(&mut self, input: ParseStream) -> syn::Result<()> {
        if input.peek(LitStr) {
            let name: LitStr = input.parse()?;
            let (ident, path) = registered(&name.value(), name.span())?;
            return self.push(ident, path);
        }
        let name = Ident::parse_any(input).map_err(|error| syn::Error::new(error.span(), USAGE))?;
        if input.is_empty() || input.peek(Token![,]) {
            return self.unquoted(&name);
        }
        if input.peek(Token![==]) || input.parse::<Option<Token![=]>>()?.is_none() {
            return Err(misused(&name).unwrap_or_else(|| syn::Error::new(name.span(), USAGE)));
        }
        if name != "bench" {
            let kind = kind(&name, input)?;
            return self.push(name, quote!(#kind));
        }
        if self.bench.is_some() {
            return Err(syn::Error::new(name.span(), "`bench` is given twice"));
        }
        self.bench = Some((name, input.parse()?));
        Ok(())
    }

    /// A registered name without its quotes.
    fn unquoted(&mut self, name: &Ident) -> syn::Result<()> {
        if let Some(mistake) = misused(name) {
            return Err(mistake);
        }
        if is_capitalised(name) {
            let message = format!("name the variable of this tool: `tool = {name}`");
            return Err(syn::Error::new(name.span(), message));
        }
        let (ident, path) = registered(&name.to_string(), name.span())?;
        self.push(ident, path)
    }

    fn push(&mut self, name: Ident, path: TokenStream) -> syn::Result<()> {
        if self.tools.iter().any(|(other, _)| *other == name) {
            return Err(syn::Error::new(name.span(), format!("the tool `{name}` is given twice")));
        }
        self.tools.push((name, path));
        Ok(())
    }

    /// Checks that no tool hides an argument.
    pub(crate) fn check(&self, function: &Function, mistakes: &mut Mistakes) {
        let arguments: Vec<Ident> = function.sig.inputs.iter().flat_map(bound).collect();
        for (name, _) in self.tools.iter().filter(|(name, _)| arguments.contains(name)) {
            let message = format!("the tool would hide the argument `{name}`: rename the argument");
            mistakes.at(name.span(), message);
        }
    }
}

/// The names that an argument binds.
fn bound(arg: &FnArg) -> Vec<Ident> {
    if let FnArg::Typed(typed) = arg { names(&typed.pat) } else { Vec::new() }
}

const USAGE: &str = "`#[use_tools]` takes registered names, `\"logit_lens\"`, and types, `mine = MyTool`";

/// The type of a tool.
fn kind(name: &Ident, input: ParseStream) -> syn::Result<Type> {
    let value = input.fork();
    if let Ok(text) = value.parse::<LitStr>() {
        let message = format!("this is a name, not a type: write `\"{}\"` alone", text.value());
        return Err(misused(name).unwrap_or_else(|| syn::Error::new(text.span(), message)));
    }
    let at = input.span();
    let kind = input.parse::<Type>().ok().filter(names_a_type);
    kind.ok_or_else(|| misused(name).unwrap_or_else(|| syn::Error::new(at, USAGE)))
}

/// The error for an option that is misspelt, or of another attribute.
fn misused(name: &Ident) -> Option<syn::Error> {
    let words = unknown(&name.unraw().to_string(), &TOOLS);
    let known = !words.contains("the only option is");
    let words = if name == "bench" { "`bench` needs a value: `bench = ..`".to_owned() } else { words };
    known.then(|| syn::Error::new(name.span(), words))
}

/// Whether this is a type such as `MyTool`, and not a value or a call that also parses as a type.
fn names_a_type(kind: &Type) -> bool {
    let Type::Path(path) = kind else { return false };
    path.path.segments.last().is_some_and(|last| {
        let is_call = matches!(last.arguments, PathArguments::Parenthesized(_));
        !is_call && is_capitalised(&last.ident)
    })
}

fn is_capitalised(name: &Ident) -> bool {
    name.unraw().to_string().starts_with(char::is_uppercase)
}

/// A registered name is a type alias in one module of `arrakis`, so that rustc suggests the nearest for a typo.
fn registered(text: &str, span: Span) -> syn::Result<(Ident, TokenStream)> {
    let ident = syn::parse_str::<Ident>(text).map_err(|_| {
        syn::Error::new(span, format!("`{text}` is not the name of a tool: names are like `logit_lens`"))
    })?;
    let alias = Ident::new(&ident.to_string(), span);
    let variable = Ident::new(&ident.to_string(), span.resolved_at(Span::call_site()));
    let krate = krate();
    Ok((variable, quote!(#krate::tools::by_name::#alias)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::kind::Kind;
    use crate::mistakes::tests::messages;

    fn read(text: &str) -> (Tools, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let tools = Tools::read(text.parse().unwrap(), &mut mistakes);
        (tools, mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new()))
    }

    #[test]
    fn names_and_types_become_variables() {
        let (tools, mistakes) = read("\"logit_lens\", mine = my::Tool<u8>, write_read, bench = bench()");
        let names: Vec<String> = tools.tools.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
        assert_eq!(mistakes, [] as [String; 0]);
        assert_eq!(
            names,
            [
                "logit_lens: :: arrakis :: tools :: by_name :: logit_lens",
                "mine: my :: Tool < u8 >",
                "write_read: :: arrakis :: tools :: by_name :: write_read"
            ]
        );
        assert!(matches!(tools.bench, Some((_, Expr::Call(_)))));
    }

    #[test]
    fn mistakes_are_named() {
        let problem = |text| read(text).1.join(" / ");
        for text in ["3", "|a| a", "#[tool]", "lens: LogitLens", "lens == LogitLens", "lens(LogitLens)", "a = 3"] {
            assert_eq!(problem(text), USAGE, "{text}");
        }
        assert_eq!(problem("lens = LogitLens::new(model)"), USAGE);
        assert_eq!(problem("\"logit lens\""), "`logit lens` is not the name of a tool: names are like `logit_lens`");
        assert_eq!(problem("LogitLens"), "name the variable of this tool: `tool = LogitLens`");
        assert_eq!(problem("lens = \"logit_lens\""), "this is a name, not a type: write `\"logit_lens\"` alone");
        assert_eq!(problem("\"lens\", lens = Mine"), "the tool `lens` is given twice");
        assert_eq!(problem("bench = a, bench = b"), "`bench` is given twice");
        assert_eq!(problem("bench"), "`bench` needs a value: `bench = ..`");
        assert_eq!(problem("bench(b)"), "`bench` needs a value: `bench = ..`");
        assert_eq!(
            problem("seed = 3"),
            "`seed` is an option of `#[log_experiment]` and `#[test_hypothesis]`, not of `#[use_tools]`"
        );
        assert!(problem("plot_results").starts_with("`plot_results` is an attribute: "));
        for misspelt in ["bnech = shared()", "bnech = &shared", "bnech = shared"] {
            assert_eq!(problem(misspelt), "`bnech` is not an option of `#[use_tools]`; did you mean `bench = ..`?");
        }
        assert_eq!(read("3, lens = LogitLens, \"a b\", write_read").0.tools.len(), 2, "what is right is kept");
        assert!(read("bunch = Bunch").1.is_empty());
    }

    #[test]
    fn a_tool_that_hides_an_argument_is_refused() {
        let (tools, _) = read("\"logit_lens\", write_read");
        let text = "fn f(bench: &Bench, (a, logit_lens): (u8, u8)) {}";
        let mut mistakes = Mistakes::default();
        tools.check(&Function::parse(Kind::Tools, &text.parse().unwrap()).unwrap(), &mut mistakes);
        assert_eq!(
            messages(&mistakes.finish().unwrap_err()),
            ["the tool would hide the argument `logit_lens`: rename the argument"]
        );
    }
}
