//! The marks of arguments, `#[tool]` and `#[figure]`, as users write them.

use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta};

use super::function::Function;
use crate::mistakes::Mistakes;
use crate::options::likest;

const MARKS: [&str; 2] = ["tool", "figure"];

/// What Rust itself allows on an argument.
const RUSTS: [&str; 8] = ["allow", "cfg", "cfg_attr", "deny", "doc", "expect", "forbid", "warn"];

/// Reports marks that are misspelt, have options, or are on `self`.
pub(crate) fn check(function: &Function, mistakes: &mut Mistakes) {
    for arg in &function.sig.inputs {
        let (attrs, is_self) = match arg {
            FnArg::Receiver(receiver) => (&receiver.attrs, true),
            FnArg::Typed(typed) => (&typed.attrs, false),
        };
        for attr in attrs {
            mistakes.catch(check_one(attr, is_self));
        }
    }
}

/// Whether an attribute is a mark, perhaps a misspelt one.
pub(crate) fn is_meant(attr: &Attribute) -> bool {
    meant(attr).is_some()
}

fn meant(attr: &Attribute) -> Option<&'static str> {
    let name = attr.path().segments.last()?.ident.to_string();
    likest(&name, &MARKS, |mark| mark).copied().filter(|_| !RUSTS.contains(&name.as_str()))
}

fn check_one(attr: &Attribute, is_self: bool) -> syn::Result<()> {
    let Some(name) = meant(attr) else { return Ok(()) };
    if !attr.path().is_ident(name) {
        let message = format!("this is not a mark of an argument; did you mean `#[{name}]`?");
        return Err(syn::Error::new(attr.path().span(), message));
    }
    if is_self {
        return Err(syn::Error::new(
            attr.path().span(),
            format!("`self` is passed by the caller: mark an argument `#[{name}]`"),
        ));
    }
    if matches!(attr.meta, Meta::Path(_)) {
        return Ok(());
    }
    let fix = if name == "tool" {
        "the type of the argument says which tool it is"
    } else {
        "those of the figure are in `#[plot_results(..)]`"
    };
    Err(syn::Error::new_spanned(&attr.meta, format!("`#[{name}]` takes no options: {fix}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::kind::Kind;
    use crate::mistakes::tests::messages;

    fn said(arguments: &str) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        let item = format!("fn f({arguments}) {{}}");
        check(&Function::parse(Kind::Log, &item.parse().unwrap()).unwrap(), &mut mistakes);
        mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new())
    }

    #[test]
    fn marks_and_attributes_of_rust_are_left_alone() {
        assert_eq!(
            said("&self, #[tool] a: A, #[figure] f: &mut Figure, #[cfg(x)] #[allow(unused)] #[serde] b: u8"),
            [] as [String; 0]
        );
    }

    #[test]
    fn wrong_marks_are_named() {
        let tool = "`#[tool]` takes no options: the type of the argument says which tool it is";
        assert_eq!(said("#[tool(lens)] a: A, #[tool = \"lens\"] b: B"), [tool, tool]);
        let figure = "`#[figure]` takes no options: those of the figure are in `#[plot_results(..)]`";
        assert_eq!(said("#[figure(name = \"x\")] f: &mut Figure"), [figure]);
        assert_eq!(said("#[tool] &self"), ["`self` is passed by the caller: mark an argument `#[tool]`"]);
        assert_eq!(said("#[tools] a: A"), ["this is not a mark of an argument; did you mean `#[tool]`?"]);
        assert_eq!(said("#[arrakis::tool] a: A"), ["this is not a mark of an argument; did you mean `#[tool]`?"]);
        assert_eq!(said("#[Figure] a: A"), ["this is not a mark of an argument; did you mean `#[figure]`?"]);
    }
}
