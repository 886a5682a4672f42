//! Where `#[hooked]` can be used, and which names it accepts.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, FieldPat, FnArg, Ident, ImplItemFn, Local, Pat, Token};

use super::names::{is_variable, variables};
use super::options::Options;
use super::steady::is_no_tensor;

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

/// The variables of a `let` that may be sites, with the attributes they are bound under.
pub(crate) fn site_names(options: &Options, local: &Local) -> Vec<(Ident, Vec<Attribute>)> {
    let Some(init) = &local.init else { return Vec::new() };
    if matches!(plain(&local.pat), Pat::Ident(_)) && is_no_tensor(&init.expr) {
        return Vec::new();
    }
    let names = names_of(&local.pat, &local.attrs).into_iter();
    names.filter(|(name, _)| options.is_site(name) && !is_mutable(&local.pat, name)).collect()
}

/// The variables of a `let` that the compiler must refuse if they are tensors: bound with `mut`, with their attributes.
pub(crate) fn mutable_names(options: &Options, local: &Local) -> Vec<(Ident, Vec<Attribute>)> {
    if local.init.as_ref().is_none_or(|init| matches!(plain(&local.pat), Pat::Ident(_)) && is_no_tensor(&init.expr)) {
        return Vec::new();
    }
    let names = names_of(&local.pat, &local.attrs).into_iter();
    names.filter(|(name, _)| options.is_site(name) && is_mutable(&local.pat, name)).collect()
}

/// The arguments listed in `inputs(..)`, in the order of the signature.
pub(crate) fn input_names(options: &Options, method: &ImplItemFn) -> Vec<(Ident, Vec<Attribute>)> {
    let typed = method.sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let names = typed.flat_map(|typed| names_of(&typed.pat, &typed.attrs));
    names.filter(|(name, _)| options.has_input(name)).collect()
}

fn plain(pat: &Pat) -> &Pat {
    match pat {
        Pat::Type(typed) => plain(&typed.pat),
        Pat::Paren(inner) => plain(&inner.pat),
        other => other,
    }
}

/// The names a pattern binds to values of its own, with the attributes they are bound under.
fn names_of(pat: &Pat, attributes: &[Attribute]) -> Vec<(Ident, Vec<Attribute>)> {
    let each = |pats: &Punctuated<Pat, Token![,]>| pats.iter().flat_map(|pat| names_of(pat, attributes)).collect();
    match pat {
        Pat::Ident(ident) if ident.by_ref.is_none() && is_variable(&ident.ident) => {
            vec![(ident.ident.clone(), attributes.to_vec())]
        }
        Pat::Type(typed) => names_of(&typed.pat, attributes),
        Pat::Paren(inner) => names_of(&inner.pat, attributes),
        Pat::Tuple(tuple) => each(&tuple.elems),
        Pat::Slice(slice) => each(&slice.elems),
        Pat::TupleStruct(tuple) => each(&tuple.elems),
        Pat::Struct(fields) => {
            let of = |field: &FieldPat| names_of(&field.pat, &[attributes, &field.attrs].concat());
            fields.fields.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a pattern binds a name with `mut`.
pub(crate) fn is_mutable(pat: &Pat, name: &Ident) -> bool {
    struct Find<'a>(&'a Ident, bool);
    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            self.1 |= pat.ident == *self.0 && pat.mutability.is_some();
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut find = Find(name, false);
    find.visit_pat(pat);
    find.1
}

/// The names of an argument that can become sites.
fn argument(arg: &FnArg) -> Vec<Ident> {
    match arg {
        FnArg::Typed(typed) => names_of(&typed.pat, &[]).into_iter().map(|(name, _)| name).collect(),
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
