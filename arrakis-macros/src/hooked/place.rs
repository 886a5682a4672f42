//! Which part of `self` an expression denotes, and which variables denote one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Expr, Ident, Index, Member, Pat};

/// Methods whose result is the same part of `self`, as far as the path of a site is concerned.
const TRANSPARENT: [&str; 7] = ["as_ref", "as_mut", "as_deref", "as_deref_mut", "unwrap", "expect", "clone"];

/// What the receiver of a `forward` is.
#[derive(Clone)]
pub(crate) enum Place {
    /// `self`: its sites have no segment of their own.
    Own,
    /// A part of `self`, by its path.
    Part(Segment),
    /// A new value that is not part of `self`: `Relu::new()`.
    Fresh,
    /// An item of a list whose index is lost: the list's name, and the place where it was lost.
    Indexless(String, Box<Expr>),
    /// Unknown.
    Unknown,
}

/// A path such as `blocks.{}.attn`, with the values for its holes.
#[derive(Clone)]
pub(crate) struct Segment {
    text: String,
    holes: Vec<Expr>,
}

impl Segment {
    /// As the argument of `hooks::enter`.
    pub(crate) fn tokens(&self) -> TokenStream {
        let (text, holes) = (&self.text, &self.holes);
        quote!(::std::format_args!(#text #(, #holes)*))
    }

    /// The path as the user writes it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn then(mut self, name: &str) -> Self {
        self.text = format!("{}.{name}", self.text);
        self
    }

    /// The item of a list that `index` counts.
    pub(crate) fn item(mut self, index: Expr) -> Self {
        self.holes.push(index);
        self.then("{}")
    }
}

/// Variables in scope, innermost last.
#[derive(Default)]
pub(crate) struct Names(Vec<(Ident, Place)>);

impl Names {
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Leaves a scope that was entered at this depth.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.0.truncate(depth);
    }

    fn find(&self, name: &Ident) -> Place {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map_or(Place::Unknown, |(_, place)| place.clone())
    }

    /// Which part of `self` an expression denotes.
    pub(crate) fn place(&self, expr: &Expr) -> Place {
        match expr {
            Expr::Path(path) if path.path.is_ident("self") => Place::Own,
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) if is_variable(name) => self.find(name),
                _ => Place::Fresh,
            },
            Expr::Field(field) => part_of(self.place(&field.base), &member(&field.member)),
            Expr::Index(index) => match self.place(&index.expr) {
                Place::Part(list) if is_steady(&index.index) => Place::Part(list.item((*index.index).clone())),
                _ => Place::Unknown,
            },
            Expr::MethodCall(call) => match self.place(&call.receiver) {
                Place::Fresh => Place::Fresh,
                place if TRANSPARENT.contains(&call.method.to_string().as_str()) => place,
                _ => Place::Unknown,
            },
            Expr::Reference(inner) => self.place(&inner.expr),
            Expr::Paren(inner) => self.place(&inner.expr),
            Expr::Group(inner) => self.place(&inner.expr),
            Expr::Unary(inner) => self.place(&inner.expr),
            Expr::Try(inner) => self.place(&inner.expr),
            Expr::Call(call) if matches!(&*call.func, Expr::Path(_)) => Place::Fresh,
            Expr::Struct(_) => Place::Fresh,
            _ => Place::Unknown,
        }
    }

    /// The variables of a pattern, which denote what they are bound to.
    pub(crate) fn bind(&mut self, pat: &Pat, place: &Place) {
        match pat {
            Pat::Ident(ident) if is_variable(&ident.ident) => self.0.push((ident.ident.clone(), place.clone())),
            Pat::Type(typed) => self.bind(&typed.pat, place),
            Pat::Reference(inner) => self.bind(&inner.pat, place),
            Pat::Paren(inner) => self.bind(&inner.pat, place),
            // `Some(norm)`, or a variant of an enum of modules: the same field of `self`.
            Pat::TupleStruct(one) if one.elems.len() == 1 => self.bind(&one.elems[0], place),
            Pat::Tuple(tuple) => {
                for (at, pat) in tuple.elems.iter().enumerate() {
                    self.bind(pat, &part_of(place.clone(), &Index::from(at).index.to_string()));
                }
            }
            Pat::Struct(fields) => {
                for field in &fields.fields {
                    self.bind(&field.pat, &part_of(place.clone(), &member(&field.member)));
                }
            }
            Pat::Or(cases) => cases.cases.iter().for_each(|case| self.bind(case, place)),
            other => variables(other).into_iter().for_each(|name| self.0.push((name, Place::Unknown))),
        }
    }

    /// The same for a pattern and the expression that it destructures.
    pub(crate) fn bind_to(&mut self, pat: &Pat, expr: &Expr) {
        match (pat, expr) {
            (Pat::Tuple(pats), Expr::Tuple(exprs)) if pats.elems.len() == exprs.elems.len() => {
                pats.elems.iter().zip(&exprs.elems).for_each(|(pat, expr)| self.bind_to(pat, expr));
            }
            _ => {
                let place = self.place(expr);
                self.bind(pat, &place);
            }
        }
    }
}

fn part_of(place: Place, name: &str) -> Place {
    match place {
        Place::Own => Place::Part(Segment { text: name.to_owned(), holes: Vec::new() }),
        Place::Part(segment) => Place::Part(segment.then(name)),
        other => other,
    }
}

fn member(member: &Member) -> String {
    match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

/// Whether an index can be written twice with the same meaning.
fn is_steady(index: &Expr) -> bool {
    match index {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Field(field) => is_steady(&field.base),
        Expr::Paren(inner) => is_steady(&inner.expr),
        Expr::Binary(both) => is_steady(&both.left) && is_steady(&both.right),
        _ => false,
    }
}

/// In a pattern, `None` and `LIMIT` are not variables.
pub(crate) fn is_variable(name: &Ident) -> bool {
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

/// Whether a pattern binds a name with `mut`.
pub(crate) fn is_mutable(pat: &Pat, name: &Ident) -> bool {
    struct Find<'a>(&'a Ident, bool);
    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            self.1 |= pat.ident == *self.0 && pat.mutability.is_some();
        }
    }
    let mut find = Find(name, false);
    find.visit_pat(pat);
    find.1
}
