//! What the variables of a pattern denote.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Pat, PatIdent, PatOr, PatTupleStruct, Path, Token};

use super::names::{Names, is_variable, variables};
use super::place::Place;

/// What the parentheses after a path in a pattern hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `Some(norm)`: the option's own path.
    Wrapper,
    /// A struct: its fields have numbers.
    Struct,
    /// A variant of an enum of modules: one module has the field's own path, several have numbers.
    Variant,
    /// A struct or a variant.
    Unclear,
}

/// How a pattern binds its variables.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Whether the pattern always fits, so that a path in it names a struct.
    pub(crate) always: bool,
    /// Whether it is bound under a `#[cfg]`.
    pub(crate) conditional: bool,
}

impl Names {
    /// Binds a pattern to the expression that it destructures.
    pub(crate) fn bind_to(&mut self, pat: &Pat, expr: &Expr, how: How) {
        let mut pairs = Vec::new();
        self.split(pat, expr, &mut pairs);
        for (pat, place) in pairs {
            self.bind(pat, &place, how);
        }
    }

    /// The parts of a pattern with what each is bound to. No variable is in scope before all parts are evaluated.
    fn split<'p>(&self, pat: &'p Pat, expr: &Expr, pairs: &mut Vec<(&'p Pat, Place)>) {
        match (pat, expr) {
            (Pat::Type(typed), _) => self.split(&typed.pat, expr, pairs),
            (Pat::Paren(inner), _) => self.split(&inner.pat, expr, pairs),
            (_, Expr::Paren(inner)) => self.split(pat, &inner.expr, pairs),
            (Pat::Reference(pat), Expr::Reference(expr)) => self.split(&pat.pat, &expr.expr, pairs),
            (Pat::Tuple(pat), Expr::Tuple(expr)) => self.split_each(&pat.elems, &expr.elems, pairs),
            (Pat::Slice(pat), Expr::Array(expr)) => self.split_each(&pat.elems, &expr.elems, pairs),
            _ => pairs.push((pat, self.place(expr))),
        }
    }

    fn split_each<'p>(
        &self,
        pats: &'p Punctuated<Pat, Token![,]>,
        exprs: &Punctuated<Expr, Token![,]>,
        pairs: &mut Vec<(&'p Pat, Place)>,
    ) {
        let skippable = !exprs.iter().any(|expr| self.place(expr).is_of_self());
        if pats.len() != exprs.len() {
            return pairs.extend(pats.iter().map(|pat| (pat, Place::Unknown { skippable })));
        }
        // What one element does may change the index of another.
        let pure = exprs.iter().all(|expr| !matches!(self.place(expr), Place::Unknown { .. }) || is_plain(expr));
        for (pat, expr) in pats.iter().zip(exprs) {
            let from = pairs.len();
            self.split(pat, expr, pairs);
            for (_, place) in &mut pairs[from..] {
                if let Place::Part(segment) = place
                    && !pure
                    && !segment.holes.iter().all(super::steady::is_fixed)
                {
                    *place = Place::lost("give this module a `let` of its own: its path keeps the index", expr);
                }
            }
        }
    }

    /// Binds the variables of a pattern, which denote what they are bound to.
    pub(crate) fn bind(&mut self, pat: &Pat, place: &Place, how: How) {
        match pat {
            Pat::Ident(ident) => self.bind_ident(ident, place, how),
            Pat::Type(typed) => self.bind(&typed.pat, place, how),
            Pat::Reference(inner) => self.bind(&inner.pat, place, how),
            Pat::Paren(inner) => self.bind(&inner.pat, place, how),
            Pat::TupleStruct(fields) => self.bind_fields(fields, place, how),
            Pat::Tuple(tuple) => self.bind_each(&tuple.elems, place, how),
            Pat::Slice(slice) => self.bind_each(&slice.elems, place, how),
            Pat::Struct(fields) => {
                for field in &fields.fields {
                    let conditional = how.conditional || is_conditional(&field.attrs);
                    self.bind(&field.pat, &place.clone().member(&field.member), How { conditional, ..how });
                }
            }
            Pat::Or(cases) => self.bind_cases(cases, place, how),
            other => {
                for name in variables(other) {
                    self.push(&name, Place::Unknown { skippable: false }, false, how.conditional);
                }
            }
        }
    }

    fn bind_ident(&mut self, ident: &PatIdent, place: &Place, how: How) {
        if is_variable(&ident.ident) {
            self.push(&ident.ident, place.clone(), ident.mutability.is_some(), how.conditional);
        }
        if let Some((_, pat)) = &ident.subpat {
            self.bind(pat, place, how);
        }
    }

    fn bind_fields(&mut self, fields: &PatTupleStruct, place: &Place, how: How) {
        match (shape(&fields.path, how.always), fields.elems.first()) {
            (Shape::Wrapper, Some(only)) => self.bind(only, place, how),
            (Shape::Variant, Some(only)) if fields.elems.len() == 1 => self.bind(only, place, how),
            (Shape::Variant, Some(_)) if fields.elems.iter().any(is_rest) => {
                self.bind_lost(
                    fields,
                    place,
                    "name all fields of the variant: its `..` hides how many modules it holds",
                    how,
                );
            }
            (_, None) => {}
            (Shape::Struct | Shape::Variant, _) => self.bind_each(&fields.elems, place, how),
            (Shape::Unclear, _) => {
                let name = fields.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
                let why = format!(
                    "whether `{name}` is a variant or a struct decides the path: write `Type::{name}(..)` for a variant of an enum, or the field `.0` of a struct"
                );
                self.bind_lost(fields, place, &why, how);
            }
        }
    }

    /// Variables whose path cannot be read off the pattern.
    fn bind_lost(&mut self, fields: &PatTupleStruct, place: &Place, why: &str, how: How) {
        let lost = if place.is_of_self() { Place::lost(why, fields) } else { place.clone() };
        for name in fields.elems.iter().flat_map(variables) {
            self.push(&name, lost.clone(), false, how.conditional);
        }
    }

    /// Elements by number, up to a `..`.
    fn bind_each(&mut self, pats: &Punctuated<Pat, Token![,]>, place: &Place, how: How) {
        let mut counted = true;
        for (at, pat) in pats.iter().enumerate() {
            counted &= !is_rest(pat);
            let element = match place {
                Place::Own | Place::Part(_) if counted => place.clone().part(&at.to_string()),
                Place::Own | Place::Part(_) => Place::lost(
                    "a `..` in a pattern hides the index of what it stands for and of what follows: index the list instead, such as `self.list[i]`",
                    pat,
                ),
                other => other.clone(),
            };
            self.bind(pat, &element, how);
        }
    }

    /// A variable that is another part in each alternative has no path.
    fn bind_cases(&mut self, cases: &PatOr, place: &Place, how: How) {
        let depth = self.depth();
        let mut merged: Vec<(Ident, Place, bool)> = Vec::new();
        for case in &cases.cases {
            self.bind(case, place, how);
            for (name, place, conditional) in self.since(depth) {
                match merged.iter_mut().find(|(known, ..)| *known == name) {
                    None => merged.push((name, place, conditional)),
                    Some((_, known, _)) if known.is_same(&place) => {}
                    Some((_, known, _)) => {
                        let why = format!("`{name}` is another part in each alternative: write an arm for each");
                        *known = Place::lost(why, cases);
                    }
                }
            }
        }
        for (name, place, conditional) in merged {
            self.push(&name, place, false, conditional);
        }
    }
}

/// What the last segments of a path in a pattern say.
fn shape(path: &Path, always: bool) -> Shape {
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [.., "Some" | "Ok" | "Err"] => Shape::Wrapper,
        ["Self"] => Shape::Struct,
        [.., of, _] if of.starts_with(char::is_uppercase) => Shape::Variant,
        _ if always => Shape::Struct,
        _ => Shape::Unclear,
    }
}

fn is_rest(pat: &Pat) -> bool {
    match pat {
        Pat::Rest(_) => true,
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => matches!(**pat, Pat::Rest(_)),
        _ => false,
    }
}

/// Whether evaluating an expression changes nothing.
fn is_plain(expr: &Expr) -> bool {
    super::steady::runs_nothing(expr) || super::steady::is_steady(expr)
}

pub(crate) fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}
