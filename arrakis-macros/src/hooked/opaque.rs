//! Calls of a `forward` whose segment cannot be entered: inside a macro, by the path of its type, in a function.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, ExprPath, FnArg, Ident, ItemFn};

use super::names::variables;

/// An error for each `.forward..(` among a macro's tokens, which we cannot rewrite.
pub(crate) fn forwards_in(tokens: &TokenStream) -> Vec<syn::Error> {
    let mut errors = Vec::new();
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for tree in &trees {
        if let TokenTree::Group(group) = tree {
            errors.extend(forwards_in(&group.stream()));
        }
    }
    for three in trees.windows(3) {
        let [TokenTree::Punct(before), TokenTree::Ident(name), TokenTree::Group(arguments)] = three else { continue };
        let called = matches!(before.as_char(), '.' | ':') && arguments.delimiter() == Delimiter::Parenthesis;
        if called && name.to_string().starts_with("forward") {
            let message = format!(
                "a `{name}` inside a macro gives its sites no path: bind its result with a `let` before the macro"
            );
            errors.push(syn::Error::new(name.span(), message));
        }
    }
    errors
}

/// The name of a `forward` that is called by its type's path: `Norm::forward(&self.norm, x)`.
pub(crate) fn forward_by_path(call: &ExprCall) -> Option<Ident> {
    let Expr::Path(path) = &*call.func else { return None };
    forward_of(path)
}

/// The name of a `forward` that the path of a type leads to: `Norm::forward`.
pub(crate) fn forward_of(path: &ExprPath) -> Option<Ident> {
    let mut names = path.path.segments.iter().rev().map(|segment| &segment.ident);
    let (last, of) = (names.next()?, names.next()?);
    (of.to_string().starts_with(char::is_uppercase) && is_forward(last)).then(|| last.clone())
}

pub(crate) fn is_forward(name: &Ident) -> bool {
    use syn::ext::IdentExt;
    name.unraw().to_string().starts_with("forward")
}

/// An error for each `forward` of an argument in a function inside the method.
pub(crate) fn forwards_in_function(function: &ItemFn) -> Vec<syn::Error> {
    struct Find(Vec<Ident>, Vec<syn::Error>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
            if is_forward(&call.method) && root(&call.receiver).is_some_and(|root| self.0.contains(root)) {
                let message = "a `forward` in a function inside the method gives its sites no path: call it in the method itself, as `self.field.forward(..)`";
                self.1.push(syn::Error::new(call.method.span(), message));
            }
            visit::visit_expr_method_call(self, call);
        }
    }
    let typed = function.sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(typed) => Some(variables(&typed.pat)),
        FnArg::Receiver(_) => None,
    });
    let mut find = Find(typed.flatten().collect(), Vec::new());
    find.visit_block(&function.block);
    find.1
}

/// The variable that a receiver starts from.
fn root(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Field(inner) => root(&inner.base),
        Expr::Index(inner) => root(&inner.expr),
        Expr::MethodCall(inner) => root(&inner.receiver),
        Expr::Paren(inner) => root(&inner.expr),
        Expr::Reference(inner) => root(&inner.expr),
        Expr::Unary(inner) => root(&inner.expr),
        _ => None,
    }
}
