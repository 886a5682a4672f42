//! What `#[hooked]` can sit on, and which names it can be given.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Block, FnArg, Ident, ImplItemFn, Local, Pat, Stmt};

use super::options::Options;

/// A method with a body, neither `async` nor `const`.
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
            "`#[hooked]` cannot go on a `const` method: sites are looked up when it runs; drop the `const`",
        ));
    }
    if !matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        let message =
            "`#[hooked]` goes on a method: the path of a site comes from `self.field`; give it a `&self` argument";
        return Err(syn::Error::new(method.sig.ident.span(), message));
    }
    Ok(method)
}

/// Every name in `inputs(..)` is an argument, every name in `skip(..)` a binding.
pub(crate) fn options(options: &Options, method: &ImplItemFn) -> syn::Result<()> {
    let arguments: Vec<String> = method.sig.inputs.iter().filter_map(argument).collect();
    let bound = Bindings::of(&method.block);
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
    for name in &options.skip {
        if !bound.names.contains(&name.to_string()) {
            let message = format!("no `let {name} = ..;` in `{}` to skip", method.sig.ident);
            return Err(syn::Error::new(name.span(), message));
        }
    }
    Ok(())
}

/// One name is one tensor: binding a site twice on one path would make the site ambiguous.
pub(crate) fn bound_twice(options: &Options, method: &ImplItemFn) -> syn::Result<()> {
    let mut seen: Vec<String> = options.inputs.iter().map(ToString::to_string).collect();
    in_block(options, &method.block, &mut seen)
}

fn in_block(options: &Options, block: &Block, seen: &mut Vec<String>) -> syn::Result<()> {
    for statement in &block.stmts {
        let Stmt::Local(local) = statement else { continue };
        for name in site_names(local).into_iter().filter(|name| options.is_site(name)) {
            if seen.iter().any(|earlier| name == earlier) {
                let message = format!(
                    "`{name}` is bound twice, so the site `{name}` would mean two tensors; rename one, or list it in `#[hooked(skip({name}))]`"
                );
                return Err(syn::Error::new(name.span(), message));
            }
            seen.push(name.to_string());
        }
    }
    Ok(())
}

/// The names a `let` with a value makes sites of: an identifier, or the identifiers of a tuple.
pub(crate) fn site_names(local: &Local) -> Vec<Ident> {
    if local.init.is_none() {
        return Vec::new();
    }
    names_of(&local.pat)
}

fn names_of(pat: &Pat) -> Vec<Ident> {
    match pat {
        Pat::Ident(ident) if ident.by_ref.is_none() => vec![ident.ident.clone()],
        Pat::Type(typed) => names_of(&typed.pat),
        Pat::Tuple(tuple) => tuple.elems.iter().flat_map(names_of).collect(),
        _ => Vec::new(),
    }
}

fn argument(arg: &FnArg) -> Option<String> {
    match arg {
        FnArg::Typed(typed) => names_of(&typed.pat).first().map(ToString::to_string),
        FnArg::Receiver(_) => None,
    }
}

/// All names bound anywhere in a body.
struct Bindings {
    names: BTreeSet<String>,
}

impl Bindings {
    fn of(block: &Block) -> Self {
        let mut bindings = Self { names: BTreeSet::new() };
        bindings.visit_block(block);
        bindings
    }
}

impl<'ast> Visit<'ast> for Bindings {
    fn visit_local(&mut self, local: &'ast Local) {
        for name in site_names(local) {
            self.names.insert(name.to_string());
        }
        visit::visit_local(self, local);
    }
}
