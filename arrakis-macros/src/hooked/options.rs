//! The options of `#[hooked(...)]`: `inputs(a, b)` and `skip(x)`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Ident, Token};

use crate::mistakes::Mistakes;
use crate::options::{Content, Given, HOOKED, read};

/// What the user asked for, each name with its span.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) inputs: Vec<Ident>,
    pub(crate) skip: Vec<Ident>,
}

impl Options {
    /// Reads what is written inside the attribute.
    pub(crate) fn read(args: TokenStream) -> syn::Result<Self> {
        let (mut options, mut mistakes) = (Self::default(), Mistakes::default());
        for given in read(&HOOKED, args, &mut mistakes) {
            let names = mistakes.catch(names(&given)).unwrap_or_default();
            match given.known.name {
                "inputs" => options.inputs = names,
                _ => options.skip = names,
            }
        }
        mistakes.finish().map(|()| options)
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

fn names(given: &Given) -> syn::Result<Vec<Ident>> {
    let Given { key, content: Content::List(list), .. } = given else { unreachable!("BUG: `#[hooked]` takes lists") };
    let usage = format!("`{key}` takes names of variables: `{key}(x, y)`");
    if list.is_empty() {
        return Err(syn::Error::new(key.span(), usage));
    }
    let names = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(list.clone());
    let names = names.map_err(|error| syn::Error::new(error.span(), usage))?;
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mistakes::tests::messages;

    fn options(text: &str) -> Result<Options, Vec<String>> {
        Options::read(text.parse().unwrap()).map_err(|error| messages(&error))
    }

    #[test]
    fn names_are_read_and_underscores_are_left_out() {
        let options = options("inputs(x, y), skip(z)").unwrap();
        let site = |name| options.is_site(&quote::format_ident!("{name}"));
        assert_eq!((options.inputs.len(), site("q"), site("z"), site("_q")), (2, true, false, false));
        assert!(options.has_input(&quote::format_ident!("y")));
    }

    #[test]
    fn mistakes_are_named() {
        let problems = |text| options(text).err().unwrap();
        assert_eq!(
            problems("input(x), skip(x), skip(y), inputs(self.x)"),
            [
                "`input` is not an option of `#[hooked]`; did you mean `inputs(..)`?",
                "`skip` is given twice",
                "`inputs` takes names of variables: `inputs(x, y)`",
            ]
        );
        for text in ["skip()", "skip(\"x\")", "skip(x y)", "skip(1)"] {
            assert_eq!(problems(text), ["`skip` takes names of variables: `skip(x, y)`"], "{text}");
        }
    }
}
