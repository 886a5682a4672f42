//! Where `#[hooked]` can be used, and which names it accepts.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Expr, FnArg, Ident, ImplItemFn, Local, Pat};

use super::options::Options;
use super::place::{is_variable, variables};

/// A method with a body that is neither `async` nor `const`.
pub(crate) fn method(item: TokenStream) -> syn::Result<ImplItemFn> {
    let method: ImplItemFn = syn::parse2(item).map_err(|error| {
        syn::Error::new(
            error.span(),
            "`#[hooked]` goes on a method with a body, such as `fn forward(&self, x: Tensor<3>) -> Tensor<3>`",
        )
    })?;
    if let Some(token) = &method.sig.asyncness {
        return Err(syn::Error::new(
            token.span,
            "`#[hooked]` cannot go on an `async` method: a run is bound to its thread; make it a plain `fn`",
        ));
    }
    if let Some(token) = &method.sig.constness {
        return Err(syn::Error::new(
            token.span,
            "`#[hooked]` cannot go on a `const` method: sites are looked up at run time; drop the `const`",
        ));
    }
    if !matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        let message =
            "`#[hooked]` goes on a method: the path of a site comes from `self.field`; give it a `&self` argument";
        return Err(syn::Error::new(method.sig.ident.span(), message));
    }
    Ok(method)
}

/// Checks that every name in `inputs(..)` is an argument, and every name in `skip(..)` a variable.
pub(crate) fn options(options: &Options, method: &ImplItemFn) -> syn::Result<()> {
    let arguments: Vec<String> =
        method.sig.inputs.iter().flat_map(argument).map(|name| name.unraw().to_string()).collect();
    for name in &options.inputs {
        if !arguments.iter().any(|argument| name == argument) {
            let message = format!(
                "`{name}` is not an argument of `{}`; its arguments are: {}",
                method.sig.ident,
                arguments.join(", ")
            );
            return Err(syn::Error::new(name.span(), message));
        }
    }
    let bound = Bindings::of(method);
    for name in &options.skip {
        if !bound.names.contains(&name.unraw().to_string()) && !arguments.iter().any(|argument| name == argument) {
            let message = format!("no `let {name} = ..;` in `{}` to skip", method.sig.ident);
            return Err(syn::Error::new(name.span(), message));
        }
    }
    Ok(())
}

/// The names that a `let` with a value makes sites. The lengths of axes are not tensors, however they are destructured.
pub(crate) fn site_names(local: &Local) -> Vec<Ident> {
    let Some(init) = &local.init else { return Vec::new() };
    match &*init.expr {
        Expr::MethodCall(call) if call.method == "dims" || call.method == "shape" => Vec::new(),
        _ => names_of(&local.pat),
    }
}

/// The names a pattern binds to values of its own.
pub(crate) fn names_of(pat: &Pat) -> Vec<Ident> {
    match pat {
        Pat::Ident(ident) if ident.by_ref.is_none() && is_variable(&ident.ident) => vec![ident.ident.clone()],
        Pat::Type(typed) => names_of(&typed.pat),
        Pat::Paren(inner) => names_of(&inner.pat),
        Pat::Tuple(tuple) => tuple.elems.iter().flat_map(names_of).collect(),
        Pat::Slice(slice) => slice.elems.iter().flat_map(names_of).collect(),
        Pat::TupleStruct(tuple) => tuple.elems.iter().flat_map(names_of).collect(),
        Pat::Struct(fields) => fields.fields.iter().flat_map(|field| names_of(&field.pat)).collect(),
        _ => Vec::new(),
    }
}

/// The names of an argument that can become sites.
fn argument(arg: &FnArg) -> Vec<Ident> {
    match arg {
        FnArg::Typed(typed) => names_of(&typed.pat),
        FnArg::Receiver(_) => Vec::new(),
    }
}

/// All names bound anywhere in a method.
struct Bindings {
    names: BTreeSet<String>,
}

impl Bindings {
    fn of(method: &ImplItemFn) -> Self {
        let mut bindings = Self { names: BTreeSet::new() };
        bindings.visit_block(&method.block);
        bindings
    }
}

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat(&mut self, pat: &'ast Pat) {
        self.names.extend(variables(pat).iter().map(|name| name.unraw().to_string()));
        visit::visit_pat(self, pat);
    }
}
