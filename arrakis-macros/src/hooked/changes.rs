//! Variables that are given another value after they are bound.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAssign, ExprBinary, ExprMethodCall, ExprReference};

use super::steady::is_assignment;

/// Methods that move the items of a list.
const MOVES: [&str; 17] = [
    "append",
    "clear",
    "drain",
    "extend",
    "insert",
    "pop",
    "push",
    "remove",
    "replace",
    "retain",
    "reverse",
    "rotate_left",
    "rotate_right",
    "sort_by_key",
    "swap",
    "swap_remove",
    "take",
];

/// Each variable that is assigned to, borrowed with `&mut` or reordered, with the first place where.
pub(crate) fn of(block: &Block) -> BTreeMap<String, TokenStream> {
    let mut changes = Changes(BTreeMap::new());
    changes.visit_block(block);
    changes.0
}

/// The same in a condition.
pub(crate) fn of_condition(condition: &Expr) -> BTreeMap<String, TokenStream> {
    let mut changes = Changes(BTreeMap::new());
    changes.visit_expr(condition);
    changes.0
}

struct Changes(BTreeMap<String, TokenStream>);

impl Changes {
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident() {
                    self.0.entry(name.to_string()).or_insert_with(|| target.to_token_stream());
                }
            }
            Expr::Paren(inner) => self.target(&inner.expr),
            Expr::Index(item) => self.target(&item.expr),
            Expr::Tuple(tuple) => tuple.elems.iter().for_each(|target| self.target(target)),
            Expr::Array(array) => array.elems.iter().for_each(|target| self.target(target)),
            Expr::Struct(fields) => fields.fields.iter().for_each(|field| self.target(&field.expr)),
            Expr::Call(call) => call.args.iter().for_each(|target| self.target(target)),
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Changes {
    fn visit_expr_assign(&mut self, node: &'ast ExprAssign) {
        self.target(&node.left);
        visit::visit_expr_assign(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast ExprBinary) {
        if is_assignment(node.op) {
            self.target(&node.left);
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_reference(&mut self, node: &'ast ExprReference) {
        if node.mutability.is_some() {
            self.target(&node.expr);
        }
        visit::visit_expr_reference(self, node);
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        if MOVES.contains(&node.method.to_string().as_str()) {
            self.target(&node.receiver);
        }
        visit::visit_expr_method_call(self, node);
    }
}
