//! `#[tracked]`: a function says that it runs, so that the experiments around it count its code among their inputs.
//!
//! A function gets one statement before its body. A constant cannot say anything: it gets a hidden type of its own name,
//! which the statement of a function looks up (`experiment/constants.rs`).

mod companion;
mod note;
mod within;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Item;

use crate::experiment::{Function, Kind};
use crate::mistakes::Mistakes;
use note::{Note, is_hooked};
use within::Within;

/// Where the attribute can be.
const WHERE: &str =
    "`#[tracked]` goes on a function with a body, a `const` or `static`, an `impl`, a trait, or a module in braces";

/// Expands the attribute on any of the items that it can be on.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if let Some(first) = args.into_iter().next() {
        return Err(syn::Error::new(first.span(), "`#[tracked]` has no options: write it alone"));
    }
    if let Ok(function) = syn::parse2::<Function>(item.clone()) {
        return one(&function, &item);
    }
    let mut mistakes = Mistakes::default();
    let mut parsed = syn::parse2(item).map_err(|error| syn::Error::new(error.span(), format!("{WHERE} ({error})")))?;
    match &mut parsed {
        Item::Const(constant) if constant.ident == "_" => {
            mistakes.at(constant.ident.span(), "a constant that no function can name needs no `#[tracked]`: drop it");
        }
        Item::Const(_) | Item::Static(_) => {}
        item @ (Item::Impl(_) | Item::Trait(_) | Item::Mod(_)) => Within::new(&mut mistakes).item(item),
        other => return Err(syn::Error::new_spanned(other, WHERE)),
    }
    mistakes.finish()?;
    let companion = companion::of(&parsed, Some(Span::call_site()));
    Ok(quote!(#parsed #companion))
}

/// A function, whose body need not parse.
fn one(function: &Function, item: &TokenStream) -> syn::Result<TokenStream> {
    if let Some(token) = &function.sig.constness {
        let message = "`#[tracked]` cannot go on a `const` function: it acts at run time; drop the `const`, or put \
                       `#[tracked]` on the `impl` or the module around it";
        return Err(syn::Error::new(token.span, message));
    }
    let ours = function.attrs.iter().find_map(|attr| Kind::of(attr.path()).map(|kind| (attr, kind)));
    if let Some((attr, kind)) = ours {
        let message = format!(
            "an experiment counts its own code already: drop `#[tracked]`, or `#[{}]` if it is a helper",
            kind.name()
        );
        return Err(syn::Error::new_spanned(attr.path(), message));
    }
    let Function { attrs, vis, sig, body } = function;
    let mut code = sig.to_token_stream();
    code.extend(body.to_token_stream());
    let statement = Note::of(&sig.ident, &code, item, Some(Span::call_site())).statement(&[]);
    // `#[hooked]` below looks for its sites in the statements of the body itself.
    let inside = if attrs.iter().any(is_hooked) { body.stream() } else { body.to_token_stream() };
    Ok(quote!(#(#attrs)* #vis #sig { #statement #inside }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(item: &str) -> String {
        let tokens = expand(TokenStream::new(), item.parse().unwrap()).unwrap();
        prettyplease::unparse(&syn::parse2(tokens).unwrap())
    }

    fn problem(args: &str, item: &str) -> String {
        expand(args.parse().unwrap(), item.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_function_gets_one_statement() {
        assert_eq!(
            expanded("fn double(x: f64) -> f64 { 2.0 * x }"),
            "fn double(x: f64) -> f64 {\n    ::arrakis::__private::used!(\n        \"double\", 0u32, \"fn double (x : f64) -> f64 { 2.0 * x }\", | _ | ()\n    );\n    { 2.0 * x }\n}\n"
        );
    }

    #[test]
    fn a_body_need_not_parse() {
        let tokens = expand(TokenStream::new(), "fn f() { let = ; }".parse().unwrap()).unwrap().to_string();
        assert!(tokens.ends_with("{ let = ; } }"), "{tokens}");
    }

    #[test]
    fn everything_in_a_module_that_runs_says_so() {
        let module = "mod m {
            const WIDTH: usize = 3;
            pub struct A;
            impl A { const fn half(x: u32) -> u32 { x / 2 } fn f(&self) -> u32 { Self::half(4) } }
            trait B { fn g(&self); fn h(&self) { self.g() } }
            #[log_experiment] fn e(bench: &Bench) {}
            mod inner { async fn k() -> usize { super::WIDTH } }
        }";
        let text = expanded(module);
        let count = |what: &str| text.matches(what).count();
        assert_eq!((count("used!("), count("helper!(")), (3, 2), "f, h and k; WIDTH itself, and `half` in f\n{text}");
        assert!(text.contains("pub struct A;\n") && text.contains("enum WIDTH {}"), "{text}");
    }

    #[test]
    fn what_cannot_say_that_it_runs_is_refused() {
        assert_eq!(problem("name = 1", "fn f() {}"), "`#[tracked]` has no options: write it alone");
        assert!(problem("", "const fn f() {}").starts_with("`#[tracked]` cannot go on a `const` function"));
        assert!(problem("", "#[log_experiment] fn f(b: &Bench) {}").starts_with("an experiment counts its own code"));
        assert_eq!(problem("", "struct S;"), WHERE);
        assert!(problem("", "fn f(&self);").starts_with(WHERE));
        assert!(problem("", "mod m;").starts_with("`#[tracked]` does not see the text of a module in another file"));
        assert!(problem("", "const _: () = ();").starts_with("a constant that no function can name"));
    }
}
