//! The options of `#[hooked(...)]`: `inputs(a, b)` and `skip(x)`.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Token, parenthesized};

use crate::mistakes::Mistakes;
use crate::options::{HOOKED, find, unknown};

/// What the user asked for, each name with its span.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) inputs: Vec<Ident>,
    pub(crate) skip: Vec<Ident>,
}

impl Options {
    fn list(&mut self, name: &str) -> Option<&mut Vec<Ident>> {
        match name {
            "inputs" => Some(&mut self.inputs),
            "skip" => Some(&mut self.skip),
            _ => None,
        }
    }

    /// Whether an argument becomes a site.
    pub(crate) fn has_input(&self, name: &Ident) -> bool {
        self.inputs.iter().any(|input| input.unraw() == name.unraw())
    }

    /// Whether a binding is a site: not skipped, and not named `_like_this`.
    pub(crate) fn is_site(&self, name: &Ident) -> bool {
        !name.to_string().starts_with('_') && !self.skips(name)
    }

    /// Whether a variable is listed in `skip`.
    pub(crate) fn skips(&self, name: &Ident) -> bool {
        self.skip.iter().any(|skipped| skipped.unraw() == name.unraw())
    }
}

impl Parse for Options {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let (mut options, mut mistakes) = (Self::default(), Mistakes::default());
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let name = key.to_string();
            if find(HOOKED, &name).is_none() {
                mistakes.at(key.span(), unknown(&name, "hooked", HOOKED));
                if !input.peek(syn::token::Paren) {
                    break;
                }
            }
            let content;
            parenthesized!(content in input);
            let names = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
            match options.list(&name) {
                Some(list) if list.is_empty() => list.extend(names),
                Some(_) => mistakes.at(key.span(), format!("`{key}` is given twice; write all names in one list")),
                None => {}
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        mistakes.finish().map(|()| options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mistakes::tests::messages;

    #[test]
    fn names_are_read_and_underscores_are_left_out() {
        let options: Options = syn::parse_str("inputs(x, y), skip(z)").unwrap();
        let site = |name| options.is_site(&quote::format_ident!("{name}"));
        assert_eq!((options.inputs.len(), site("q"), site("z"), site("_q")), (2, true, false, false));
        assert!(options.has_input(&quote::format_ident!("y")));
    }

    #[test]
    fn mistakes_are_named() {
        let problems = |text| messages(&syn::parse_str::<Options>(text).err().unwrap());
        let unknown = "`input` is not an option of `#[hooked]`; did you mean `inputs(..)`?";
        assert_eq!(problems("input = x"), [unknown]);
        assert_eq!(
            problems("input(x), skip(x), skip(y)"),
            [unknown, "`skip` is given twice; write all names in one list"]
        );
    }
}
