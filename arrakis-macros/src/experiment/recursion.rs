//! rustc warns of a function that cannot return without calling itself. It does not see the call inside the generated
//! code, so it is given a function with the same fault, at the same place.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{BinOp, Block, Expr, ExprCall, Stmt};

use super::function::Function;
use super::place::Place;

/// A function for rustc to warn of, if this free function calls itself before anything else can end it.
pub(super) fn unconditional(function: &Function) -> Option<TokenStream> {
    let name = &function.sig.ident;
    if function.sig.receiver().is_some() || !function.body.to_string().contains(&name.to_string()) {
        return None;
    }
    let body: Block = syn::parse2(TokenTree::Group(function.body.clone()).into()).ok()?;
    let call = in_block(&body, &|call| matches!(&*call.func, Expr::Path(path) if path.path.is_ident(name)))?;
    // In an `impl`, the name means another function.
    if matches!(Place::of(function), Some(Place::Associated) | None) {
        return None;
    }
    let span = function.sig.fn_token.span;
    let call = quote_spanned!(call.span()=> #name());
    Some(quote_spanned!(span=> const _: () = { #[allow(dead_code)] fn #name() { #call } };))
}

type Wanted<'a> = &'a dyn Fn(&ExprCall) -> bool;

/// The wanted call, if every way through the block comes to it.
fn in_block<'a>(block: &'a Block, wanted: Wanted<'_>) -> Option<&'a ExprCall> {
    for statement in &block.stmts {
        let expr = match statement {
            Stmt::Local(local) if local.attrs.is_empty() => match &local.init {
                Some(init) if init.diverge.is_none() => &*init.expr,
                Some(_) => return None,
                None => continue,
            },
            Stmt::Expr(expr, _) => expr,
            Stmt::Item(_) => continue,
            _ => return None,
        };
        match in_expr(expr, wanted) {
            Way::Calls(call) => return Some(call),
            Way::MayEnd => return None,
            Way::GoesOn => {}
        }
    }
    None
}

/// How the evaluation of an expression ends.
enum Way<'a> {
    Calls(&'a ExprCall),
    /// It may leave the function, or it is not known.
    MayEnd,
    GoesOn,
}

fn in_expr<'a>(expr: &'a Expr, wanted: Wanted<'_>) -> Way<'a> {
    match expr {
        Expr::Call(call) => match in_all(call.args.iter(), wanted) {
            Way::GoesOn if wanted(call) => Way::Calls(call),
            way => way,
        },
        Expr::MethodCall(call) => in_all(std::iter::once(&*call.receiver).chain(&call.args), wanted),
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => in_expr(&binary.left, wanted),
        Expr::Binary(binary) => in_all([&*binary.left, &*binary.right], wanted),
        Expr::Unary(unary) => in_expr(&unary.expr, wanted),
        Expr::Paren(paren) => in_expr(&paren.expr, wanted),
        Expr::Reference(reference) => in_expr(&reference.expr, wanted),
        Expr::Field(field) => in_expr(&field.base, wanted),
        Expr::Cast(cast) => in_expr(&cast.expr, wanted),
        Expr::Tuple(tuple) => in_all(&tuple.elems, wanted),
        Expr::Block(block) if block.attrs.is_empty() => in_block(&block.block, wanted).map_or(Way::MayEnd, Way::Calls),
        Expr::Return(exit) => match exit.expr.as_deref().map(|expr| in_expr(expr, wanted)) {
            Some(Way::Calls(call)) => Way::Calls(call),
            _ => Way::MayEnd,
        },
        Expr::Path(_) | Expr::Lit(_) | Expr::Closure(_) => Way::GoesOn,
        _ => Way::MayEnd,
    }
}

fn in_all<'a>(exprs: impl IntoIterator<Item = &'a Expr>, wanted: Wanted<'_>) -> Way<'a> {
    let ways = exprs.into_iter().map(|expr| in_expr(expr, wanted));
    ways.into_iter().find(|way| !matches!(way, Way::GoesOn)).unwrap_or(Way::GoesOn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(body: &str) -> bool {
        let block: Block = syn::parse_str(&format!("{{ {body} }}")).unwrap();
        in_block(&block, &|call| matches!(&*call.func, Expr::Path(path) if path.path.is_ident("f"))).is_some()
    }

    #[test]
    fn a_call_on_every_way_is_found() {
        for body in ["f(x)", "1 + f(x - 1)", "let y = x + 1; f(y).abs()", "return f(x);", "g(f(x))", "{ f(x) };"] {
            assert!(calls(body), "{body}");
        }
    }

    #[test]
    fn a_way_without_the_call_is_enough() {
        for body in [
            "if x { f(x) }",
            "if x { return 0; } f(x)",
            "g()?; f(x)",
            "f(g()?)",
            "ensure!(x); f(x)",
            "|| f(x)",
            "x && f(x)",
            "#[cfg(a)] let y = f(x);",
            "m::f(x)",
        ] {
            assert!(!calls(body), "{body}");
        }
    }
}
