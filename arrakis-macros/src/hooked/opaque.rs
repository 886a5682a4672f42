//! Calls of a `forward` whose segment cannot be entered: inside a macro, or by the path of its type.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Expr, ExprCall, Ident};

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
        let [TokenTree::Punct(dot), TokenTree::Ident(name), TokenTree::Group(arguments)] = three else { continue };
        let called = dot.as_char() == '.' && arguments.delimiter() == Delimiter::Parenthesis;
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
    let last = &path.path.segments.last()?.ident;
    (path.path.segments.len() > 1 && last.to_string().starts_with("forward")).then(|| last.clone())
}
