//! Indices that are kept where a module is bound.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, Expr, Ident, parse_quote};

use super::changes;
use super::names::Names;
use super::place::{Place, Segment};
use super::steady::{is_fixed, is_steady};
use crate::krate::hooks_at;

/// The index of a module, kept where the module is bound: `let key = hooks::key(&index);`
pub(crate) struct Kept {
    name: Ident,
    index: Expr,
}

impl Kept {
    pub(crate) fn tokens(&self, conditions: &[Attribute]) -> TokenStream {
        let (Self { name, index }, hooks) = (self, hooks_at(self.index.span()));
        // An index that cannot be shown is an error at its place.
        let key = quote_spanned!(index.span()=> #hooks::key(&(#index)));
        quote!(#(#conditions)* let #name = #key;)
    }
}

impl Names {
    /// The statements that keep indices which some path uses.
    pub(crate) fn kept(&self, kept: &[Kept], conditions: &[Attribute]) -> Vec<syn::Stmt> {
        let used = kept.iter().filter(|kept| self.is_used(&kept.name)).map(|kept| kept.tokens(conditions));
        used.map(|tokens| parse_quote!(#tokens)).collect()
    }

    /// Replaces indices in the paths of the variables bound since a depth by variables that keep them. The statements are
    /// placed before the variables are bound.
    pub(crate) fn keep(&mut self, from: usize) -> Vec<Kept> {
        self.keep_unless(from, |_, _| Vec::new())
    }

    /// The same with statements that are placed after the condition that binds the variables, where another variable may
    /// have an index's name, or the condition may have changed the index.
    pub(crate) fn keep_after(&mut self, from: usize, condition: &Expr) -> Vec<Kept> {
        let changed: Vec<String> = changes::of_condition(condition).into_keys().collect();
        self.keep_unless(from, |names, at| {
            let later = names.variables[at..].iter().map(|later| later.name.to_string());
            later.chain(changed.iter().cloned()).collect()
        })
    }

    fn keep_unless(&mut self, from: usize, lost: impl Fn(&Self, usize) -> Vec<String>) -> Vec<Kept> {
        let mut kept = Vec::new();
        for at in from..self.variables.len() {
            let Place::Part(segment) = self.variables[at].place.clone() else { continue };
            let lost = lost(self, at);
            self.variables[at].place = self.kept_segment(segment, &lost, &mut kept);
        }
        kept
    }

    fn kept_segment(&mut self, mut segment: Segment, lost: &[String], kept: &mut Vec<Kept>) -> Place {
        for hole in &mut segment.holes {
            if is_fixed(hole) {
                continue;
            }
            if !is_steady(hole) || mentions(hole, lost) {
                let why = "the path of a site keeps this index: bind it to a name of its own first, `let at = ..;`, and index with `at`";
                return Place::lost(why, hole);
            }
            let text = hole.to_token_stream().to_string();
            let known = kept.iter().find(|kept| kept.index.to_token_stream().to_string() == text);
            let name = match known {
                Some(kept) => kept.name.clone(),
                None => self.fresh("key"),
            };
            if known.is_none() {
                kept.push(Kept { name: name.clone(), index: hole.clone() });
            }
            *hole = parse_quote!(#name);
        }
        Place::Part(segment)
    }

    /// The same for the path of a list.
    pub(crate) fn keep_segment(&mut self, segment: Segment) -> (Place, Vec<Kept>) {
        let mut kept = Vec::new();
        let place = self.kept_segment(segment, &[], &mut kept);
        (place, kept)
    }
}

fn mentions(index: &Expr, names: &[String]) -> bool {
    struct Find<'a>(&'a [String], bool);
    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_ident(&mut self, name: &'ast Ident) {
            self.1 |= self.0.contains(&name.to_string());
        }
    }
    let mut find = Find(names, false);
    find.visit_expr(index);
    find.1
}
