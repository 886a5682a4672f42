//! A `?` in a function whose return type cannot hold its error. rustc would speak of a closure, because the body is one
//! in the generated code. The function then stays a plain one, so that rustc speaks of it.

use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, ExprAsync, ExprClosure, ExprConst, ExprTry, Item, ReturnType, Stmt, Type};

use super::function::Function;

/// Whether rustc refuses a `?` of this function.
pub(super) fn is_misplaced(function: &Function) -> bool {
    if !holds_no_error(&function.sig.output) || !function.body.to_string().contains('?') {
        return false;
    }
    let mut search = Search(false);
    if let Ok(body) = syn::parse2::<Block>(proc_macro2::TokenTree::Group(function.body.clone()).into()) {
        search.visit_block(&body);
    }
    search.0
}

/// Whether no `?` can return this type. A name other than a primitive may stand for a `Result`.
fn holds_no_error(output: &ReturnType) -> bool {
    const PRIMITIVE: [&str; 16] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "isize", "str", "u8", "u16", "u32", "u64", "usize",
        "String",
    ];
    let ReturnType::Type(_, ty) = output else { return true };
    match &**ty {
        Type::Tuple(_) | Type::Reference(_) | Type::Array(_) | Type::Never(_) => true,
        Type::Path(path) => path.path.get_ident().is_some_and(|name| PRIMITIVE.iter().any(|other| name == other)),
        _ => false,
    }
}

/// Looks for a `?` that returns from the function, in code without conditions.
struct Search(bool);

impl<'ast> Visit<'ast> for Search {
    fn visit_expr_try(&mut self, node: &'ast ExprTry) {
        self.0 |= node.attrs.is_empty();
        visit::visit_expr_try(self, node);
    }
    fn visit_stmt(&mut self, node: &'ast Stmt) {
        let conditional = match node {
            Stmt::Local(local) => is_conditional(&local.attrs),
            _ => false,
        };
        if !conditional {
            visit::visit_stmt(self, node);
        }
    }
    fn visit_expr(&mut self, node: &'ast Expr) {
        let conditional = match node {
            Expr::Block(node) => is_conditional(&node.attrs),
            Expr::MethodCall(node) => is_conditional(&node.attrs),
            Expr::Call(node) => is_conditional(&node.attrs),
            Expr::If(node) => is_conditional(&node.attrs),
            _ => false,
        };
        if !conditional {
            visit::visit_expr(self, node);
        }
    }
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
    fn visit_expr_const(&mut self, _: &'ast ExprConst) {}
    fn visit_item(&mut self, _: &'ast Item) {}
}

fn is_conditional(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    fn misplaced(text: &str) -> bool {
        is_misplaced(&Function::parse(Kind::Log, &text.parse().unwrap()).unwrap())
    }

    #[test]
    fn a_question_mark_needs_a_type_that_may_hold_an_error() {
        for text in ["fn f() { g()?; }", "fn f() -> u32 { { g(h()?) } }", "fn f() -> (A, B) { if a { g()? } }"] {
            assert!(misplaced(text), "{text}");
        }
        for text in ["fn f() -> Result<()> { g()? }", "fn f() -> Mine { g()? }", "fn f() -> impl A { g()? }"] {
            assert!(!misplaced(text), "{text}");
        }
    }

    #[test]
    fn what_does_not_return_from_the_function_is_left() {
        for body in ["|| g()?", "async { g()? }", "fn h() -> R { g()? }", "#[cfg(a)] g()?;", "f!(a?)", "let x = '?';"] {
            assert!(!misplaced(&format!("fn f() {{ {body} }}")), "{body}");
        }
    }
}
