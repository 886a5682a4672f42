//! The words inside `#[hooked(...)]`: `inputs(a, b)` and `skip(x)`.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Token, parenthesized};

/// What the user asked for, each name with its span.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) inputs: Vec<Ident>,
    pub(crate) skip: Vec<Ident>,
}

impl Options {
    /// Whether an argument is to be a site.
    pub(crate) fn has_input(&self, name: &Ident) -> bool {
        self.inputs.iter().any(|input| input.unraw() == name.unraw())
    }

    /// Whether a binding is a site: not skipped, and not named `_like_this`.
    pub(crate) fn is_site(&self, name: &Ident) -> bool {
        !name.to_string().starts_with('_') && !self.skips(name)
    }

    /// Whether a variable is left out by name.
    pub(crate) fn skips(&self, name: &Ident) -> bool {
        self.skip.iter().any(|skipped| skipped.unraw() == name.unraw())
    }
}

impl Parse for Options {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let list = match key.to_string().as_str() {
                "inputs" => &mut options.inputs,
                "skip" => &mut options.skip,
                other => {
                    let message = format!(
                        "`{other}` is not an option of `#[hooked]`; the options are `inputs(..)` and `skip(..)`"
                    );
                    return Err(syn::Error::new(key.span(), message));
                }
            };
            if !list.is_empty() {
                return Err(syn::Error::new(
                    key.span(),
                    format!("`{key}` is given twice; write all names in one list"),
                ));
            }
            let content;
            parenthesized!(content in input);
            list.extend(Punctuated::<Ident, Token![,]>::parse_terminated(&content)?);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(options)
    }
}
