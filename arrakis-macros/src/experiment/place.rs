//! Where in its file a function is. An attribute sees only the function itself, so the file is read.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Ident, ImplItemFn, ItemFn, TraitItemFn};

use super::function::Function;
use super::source::words;

/// Where a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a module.
    Free,
    /// In an `impl` or a trait.
    Associated,
    /// In the body of another function.
    Local,
}

impl Place {
    /// The place of a function; `None` if its file cannot be read, or a macro wrote it.
    pub(crate) fn of(function: &Function) -> Option<Self> {
        if !proc_macro::is_available() {
            return None;
        }
        let file = function.sig.fn_token.span.unwrap().local_file()?;
        Self::in_text(function, &std::fs::read_to_string(file).ok()?)
    }

    /// The place of a function in the text of its file. If functions in several places are equal, a free one counts.
    fn in_text(function: &Function, text: &str) -> Option<Self> {
        let body = words(function.body.to_token_stream());
        let mut search = Search { name: &function.sig.ident, body, inside: 0, found: Vec::new() };
        search.visit_file(&syn::parse_file(text).ok()?);
        search.found.iter().copied().find(|place| *place == Self::Free).or(search.found.first().copied())
    }
}

/// Collects the places of all functions with this name and body.
struct Search<'a> {
    name: &'a Ident,
    body: Vec<String>,
    /// How many functions are around the current item.
    inside: usize,
    found: Vec<Place>,
}

impl Search<'_> {
    fn compare(&mut self, name: &Ident, body: &Block, place: Place) {
        if self.name == name && self.body == words(body.to_token_stream()) {
            self.found.push(place);
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let place = if self.inside > 0 { Place::Local } else { Place::Free };
        self.compare(&item.sig.ident, &item.block, place);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.compare(&item.sig.ident, &item.block, Place::Associated);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.compare(&item.sig.ident, body, Place::Associated);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.inside += 1;
        visit::visit_block(self, block);
        self.inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::kind::Kind;

    fn place(text: &str) -> Option<Place> {
        let item = "fn score(bench: &Bench) -> f64 { 1.0 + 2.0 }";
        Place::in_text(&Function::parse(Kind::Hypothesis, &item.parse().unwrap()).unwrap(), text)
    }

    #[test]
    fn a_function_is_found_by_its_name_and_body() {
        let score = "#[test_hypothesis(bench = b)] fn score(bench: &Bench) -> f64 { 1.0+2.0 /* three */ }";
        let in_impl = format!("mod m {{ impl A {{ {score} }} }}");
        assert_eq!(place(score), Some(Place::Free));
        assert_eq!(place(&format!("//! Docs.\nmod m {{ {score} }}")), Some(Place::Free));
        assert_eq!(place(&in_impl), Some(Place::Associated));
        assert_eq!(place(&format!("trait A {{ fn other(); {score} }}")), Some(Place::Associated));
        assert_eq!(place(&format!("fn main() {{ if x {{ {score} }} }}")), Some(Place::Local));
        assert_eq!(place(&format!("{in_impl} {score}")), Some(Place::Free));
        assert_eq!(place(&score.replace('2', "3")), None);
        assert_eq!(place("not a file of Rust"), None);
    }
}
