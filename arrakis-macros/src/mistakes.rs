//! All mistakes of an item, reported together.

use proc_macro2::Span;

/// Mistakes found so far, each at its token.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Adds a mistake.
    pub(crate) fn add(&mut self, mistake: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(mistake),
            none => *none = Some(mistake),
        }
    }

    /// Adds a mistake at a token.
    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(syn::Error::new(span, message));
    }

    /// The value, if there is one; otherwise the error is added.
    pub(crate) fn catch<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|mistake| self.add(mistake)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All mistakes as one error.
    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The messages of an error, in order.
    pub(crate) fn messages(error: &syn::Error) -> Vec<String> {
        error.into_iter().map(|one| one.to_string()).collect()
    }

    #[test]
    fn every_mistake_is_kept_in_order() {
        let mut mistakes = Mistakes::default();
        assert!(mistakes.is_empty());
        mistakes.at(Span::call_site(), "first");
        assert_eq!(mistakes.catch::<u8>(Err(syn::Error::new(Span::call_site(), "second"))), None);
        assert_eq!(mistakes.catch(Ok(3)), Some(3));
        assert_eq!(messages(&mistakes.finish().unwrap_err()), ["first", "second"]);
        assert!(Mistakes::default().finish().is_ok());
    }
}
