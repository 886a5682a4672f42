//! The variables in scope, and what each denotes.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::visit::{self, Visit};
use syn::{Ident, ImplItemFn, Pat};

use super::changes;
use super::place::{Place, Segment};

pub(super) struct Variable {
    pub(super) name: Ident,
    pub(super) place: Place,
    /// Whether it is bound under a `#[cfg]`, and may be another variable of the same name.
    conditional: bool,
}

/// Variables in scope, innermost last.
pub(crate) struct Names {
    pub(super) variables: Vec<Variable>,
    /// Variables that are assigned again, with the place where.
    changed: BTreeMap<String, TokenStream>,
    /// Whether fields can be moved out of `self`.
    pub(crate) owned: bool,
    made: usize,
    used: BTreeSet<String>,
}

impl Names {
    pub(crate) fn of(method: &ImplItemFn) -> Self {
        let owned = method.sig.receiver().is_some_and(|receiver| receiver.reference.is_none());
        let changed = changes::of(&method.block);
        Self { variables: Vec::new(), changed, owned, made: 0, used: BTreeSet::new() }
    }

    pub(crate) fn depth(&self) -> usize {
        self.variables.len()
    }

    /// Leaves a scope that was entered at this depth.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.variables.truncate(depth);
    }

    /// A variable of our own.
    pub(crate) fn fresh(&mut self, what: &str) -> Ident {
        self.made += 1;
        format_ident!("__arrakis_{what}{}", self.made)
    }

    /// Notes that a path uses our variables.
    pub(crate) fn uses(&mut self, segment: &Segment) {
        self.used.extend(segment.holes.iter().map(|hole| hole.to_token_stream().to_string()));
    }

    pub(crate) fn is_used(&self, ours: &Ident) -> bool {
        self.used.contains(&ours.to_string())
    }

    pub(crate) fn push(&mut self, name: &Ident, place: Place, mutable: bool, conditional: bool) {
        let place = match self.changed.get(&name.to_string()) {
            Some(at) if mutable && place.is_of_self() => Place::lost(
                format!(
                    "`{name}` is changed, so the path of its sites is not known: call `forward` on the field where it is chosen, such as `if .. {{ self.a.forward(x) }} else {{ self.b.forward(x) }}`"
                ),
                at,
            ),
            _ => place,
        };
        self.variables.push(Variable { name: name.clone(), place, conditional });
    }

    /// The variables bound since a depth, taken out of scope.
    pub(crate) fn since(&mut self, depth: usize) -> Vec<(Ident, Place, bool)> {
        self.variables.drain(depth..).map(|variable| (variable.name, variable.place, variable.conditional)).collect()
    }

    pub(super) fn find(&self, name: &Ident) -> Place {
        let mut found: Option<&Place> = None;
        for variable in self.variables.iter().rev().filter(|variable| variable.name == *name) {
            match found {
                None => found = Some(&variable.place),
                Some(place) if !place.is_same(&variable.place) => {
                    let why = format!(
                        "which `{name}` this is depends on a `#[cfg]`: call `forward` on the field under each `#[cfg]`"
                    );
                    return Place::lost(why, name);
                }
                Some(_) => {}
            }
            if !variable.conditional {
                break;
            }
        }
        found.map_or(Place::Unknown { skippable: true }, Clone::clone)
    }
}

/// In a pattern, `None` and `LIMIT` are not variables.
pub(crate) fn is_variable(name: &Ident) -> bool {
    use syn::ext::IdentExt;
    !name.unraw().to_string().starts_with(char::is_uppercase)
}

/// All variables of a pattern.
pub(crate) fn variables(pat: &Pat) -> Vec<Ident> {
    struct Found(Vec<Ident>);
    impl<'ast> Visit<'ast> for Found {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            if is_variable(&pat.ident) {
                self.0.push(pat.ident.clone());
            }
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut found = Found(Vec::new());
    found.visit_pat(pat);
    found.0
}
