//! The attributes of an expression. Those of a statement are those of its leftmost expression.

use syn::{Attribute, Expr};

/// The outer attributes of an expression.
pub(crate) fn of(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Assign(node) => of(&node.left),
        Expr::Binary(node) => of(&node.left),
        Expr::Block(node) => &node.attrs,
        Expr::Call(node) => &node.attrs,
        Expr::Field(node) => &node.attrs,
        Expr::ForLoop(node) => &node.attrs,
        Expr::If(node) => &node.attrs,
        Expr::Index(node) => &node.attrs,
        Expr::Loop(node) => &node.attrs,
        Expr::Macro(node) => &node.attrs,
        Expr::Match(node) => &node.attrs,
        Expr::MethodCall(node) => &node.attrs,
        Expr::Path(node) => &node.attrs,
        Expr::Reference(node) => &node.attrs,
        Expr::Return(node) => &node.attrs,
        Expr::Unary(node) => &node.attrs,
        Expr::Unsafe(node) => &node.attrs,
        Expr::While(node) => &node.attrs,
        _ => &[],
    }
}

/// Takes them off, to put them on the expression that replaces it.
pub(crate) fn taken(expr: &mut Expr) -> Vec<Attribute> {
    match expr {
        Expr::Assign(node) => taken(&mut node.left),
        Expr::Binary(node) => taken(&mut node.left),
        Expr::Block(node) => std::mem::take(&mut node.attrs),
        Expr::Field(node) => std::mem::take(&mut node.attrs),
        Expr::ForLoop(node) => std::mem::take(&mut node.attrs),
        Expr::Index(node) => std::mem::take(&mut node.attrs),
        Expr::Match(node) => std::mem::take(&mut node.attrs),
        Expr::MethodCall(node) => std::mem::take(&mut node.attrs),
        Expr::Path(node) => std::mem::take(&mut node.attrs),
        Expr::Unary(node) => std::mem::take(&mut node.attrs),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_a_statement_are_found_and_taken() {
        for text in ["y = x", "y.push(x)", "{ y }", "match y {}", "for y in x {}"] {
            let block: syn::Block = syn::parse_str(&format!("{{ #[cfg(test)] {text}; }}")).unwrap();
            let Some(syn::Stmt::Expr(expr, _)) = block.stmts.into_iter().next() else { panic!("{text}") };
            let mut expr = expr;
            assert_eq!(of(&expr).len(), 1, "{text}");
            assert_eq!((taken(&mut expr).len(), of(&expr).len()), (1, 0), "{text}");
        }
    }
}
