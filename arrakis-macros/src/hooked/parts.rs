//! Whether an expression may hand on a module of `self`.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ExprReference, Macro};

use super::names::Names;
use super::place::Place;

/// Methods that give a number or a tensor of a part, never a module.
pub(crate) const PLAIN: [&str; 9] =
    ["len", "is_empty", "val", "dims", "shape", "device", "dtype", "is_some", "is_none"];

/// Whether the value of an expression may hold a part of `self`. A field read by value from a borrowed `self` is a copy
/// of a number.
pub(crate) fn any_in(names: &Names, expr: &Expr) -> bool {
    let mut parts = Parts { names, found: false };
    parts.visit_expr(expr);
    parts.found
}

struct Parts<'a> {
    names: &'a Names,
    found: bool,
}

impl Parts<'_> {
    fn is_of_self(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(_) | Expr::Field(_) | Expr::Index(_) | Expr::Paren(_) | Expr::Unary(_) => {
                let place = self.names.place(expr);
                place.is_of_self() || matches!(place, Place::Unknown { skippable: false })
            }
            _ => false,
        }
    }
}

impl<'ast> Visit<'ast> for Parts<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Field(_) | Expr::Index(_) if self.is_of_self(expr) => {
                self.found |= self.names.owned || !matches!(self.names.place(expr), Place::Own | Place::Part(_));
            }
            Expr::Path(_) => self.found |= self.is_of_self(expr),
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_expr_reference(&mut self, node: &'ast ExprReference) {
        self.found |= self.is_of_self(&node.expr);
        visit::visit_expr_reference(self, node);
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        if self.is_of_self(&node.receiver) {
            self.found |= !PLAIN.contains(&node.method.to_string().as_str());
            node.args.iter().for_each(|argument| self.visit_expr(argument));
        } else {
            visit::visit_expr_method_call(self, node);
        }
    }

    fn visit_macro(&mut self, node: &'ast Macro) {
        self.found |= has_self(&node.tokens);
    }
}

fn has_self(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(name) => name == "self",
        TokenTree::Group(group) => has_self(&group.stream()),
        _ => false,
    })
}
