//! The rewriting of a body: `let` → site, `self.field.forward(..)` → path segment, loop → index.
//!
//! Arguments of a nested forward are evaluated before its segment is entered: in
//! `self.attn.forward(self.ln1.forward(x))` the norm's sites are `ln1.*`, not `attn.ln1.*`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, BinOp, Block, Expr, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprMatch, ExprMethodCall, ExprWhile,
    Ident, Local, Macro, Pat, Stmt, parse_quote,
};

use super::check::site_names;
use super::options::Options;
use super::place::{Names, Place, Segment, is_mutable};
use super::{loops, opaque};

/// `let x = site("x", x);`
pub(crate) fn rebind(name: &Ident, mutable: bool, attributes: &[Attribute]) -> TokenStream {
    let text = name.unraw().to_string();
    let mutability = mutable.then(|| quote!(mut));
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    quote! {
        #(#conditions)*
        let #mutability #name = {
            #[allow(unused_imports)]
            use ::arrakis::__private::hooks::{PassAny as _, PassTensor as _};
            (&mut ::arrakis::__private::hooks::Slot::new(#name)).arrakis_pass(#text)
        };
    }
}

/// One pass over a method's body.
pub(crate) struct Rewrite<'a> {
    options: &'a Options,
    names: Names,
    errors: Vec<syn::Error>,
}

impl<'a> Rewrite<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, names: Names::default(), errors: Vec::new() }
    }

    /// All mistakes found, as one error.
    pub(crate) fn finish(self) -> syn::Result<()> {
        match self.errors.into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        }) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn sites_after(&self, local: &Local) -> Vec<Stmt> {
        let names = site_names(local).into_iter().filter(|name| self.options.is_site(name));
        names
            .map(|name| {
                let tokens = rebind(&name, is_mutable(&local.pat, &name), &local.attrs);
                parse_quote!(#tokens)
            })
            .collect()
    }

    /// What the conditions of an `if` or `while` bind. Each part sees the ones before it.
    fn condition(&mut self, condition: &mut Expr) {
        match condition {
            Expr::Binary(both) if matches!(both.op, BinOp::And(_)) => {
                self.condition(&mut both.left);
                self.condition(&mut both.right);
            }
            Expr::Let(binding) => {
                let (pat, expr) = (binding.pat.clone(), binding.expr.clone());
                self.visit_expr_mut(&mut binding.expr);
                self.names.bind_to(&pat, &expr);
            }
            other => self.visit_expr_mut(other),
        }
    }

    /// The segment that a `forward` enters; `None` if it stays in this scope.
    fn segment(&mut self, call: &ExprMethodCall) -> Option<Segment> {
        let name = match &*call.receiver {
            Expr::Path(path) => path.path.get_ident().cloned(),
            _ => None,
        };
        match self.names.place(&call.receiver) {
            Place::Part(segment) => return Some(segment),
            Place::Own | Place::Fresh => return None,
            Place::Indexless(list, lost) => {
                self.errors.push(syn::Error::new_spanned(lost, loops::needs_index(&list)));
            }
            Place::Unknown if name.as_ref().is_some_and(|name| self.options.skips(name)) => return None,
            Place::Unknown => {
                let skip = name.map_or_else(String::new, |name| {
                    format!("; if it is not part of `self`, list it in `#[hooked(skip({name}))]`")
                });
                let message = format!(
                    "the path of a site needs to know which field of `self` this is: call `self.field.{}(..)`, or bind the field with `let`, `if let`, `match` or `for`{skip}",
                    call.method
                );
                self.errors.push(syn::Error::new_spanned(&call.receiver, message));
            }
        }
        None
    }
}

impl VisitMut for Rewrite<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let depth = self.names.depth();
        for mut statement in std::mem::take(&mut block.stmts) {
            let mut sites = Vec::new();
            if let Stmt::Local(local) = &mut statement {
                sites = self.sites_after(local);
                self.visit_local_mut(local);
            } else {
                self.visit_stmt_mut(&mut statement);
            }
            block.stmts.push(statement);
            block.stmts.extend(sites);
        }
        self.names.leave(depth);
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        let bound = local.init.as_ref().map(|init| init.expr.clone());
        visit_mut::visit_local_mut(self, local);
        match bound {
            Some(expr) => self.names.bind_to(&local.pat, &expr),
            None => self.names.bind(&local.pat, &Place::Unknown),
        }
        // The site's own `let` carries the `mut`; on the first one it would be unused.
        if !site_names(local).is_empty() {
            drop_mut(&mut local.pat, self.options);
        }
    }

    fn visit_item_mut(&mut self, _item: &mut syn::Item) {}

    fn visit_macro_mut(&mut self, node: &mut Macro) {
        self.errors.extend(opaque::forwards_in(&node.tokens));
    }

    fn visit_expr_for_loop_mut(&mut self, node: &mut ExprForLoop) {
        let looped = loops::over(&self.names, node);
        self.visit_expr_mut(&mut node.expr);
        let depth = self.names.depth();
        looped.bind(&mut self.names, &node.pat);
        self.visit_block_mut(&mut node.body);
        self.names.leave(depth);
        looped.count(node);
    }

    fn visit_expr_if_mut(&mut self, node: &mut ExprIf) {
        let depth = self.names.depth();
        self.condition(&mut node.cond);
        self.visit_block_mut(&mut node.then_branch);
        self.names.leave(depth);
        if let Some((_, other)) = &mut node.else_branch {
            self.visit_expr_mut(other);
        }
    }

    fn visit_expr_while_mut(&mut self, node: &mut ExprWhile) {
        let depth = self.names.depth();
        self.condition(&mut node.cond);
        self.visit_block_mut(&mut node.body);
        self.names.leave(depth);
    }

    fn visit_expr_match_mut(&mut self, node: &mut ExprMatch) {
        let matched = node.expr.clone();
        self.visit_expr_mut(&mut node.expr);
        for arm in &mut node.arms {
            let depth = self.names.depth();
            self.names.bind_to(&arm.pat, &matched);
            if let Some((_, guard)) = &mut arm.guard {
                self.condition(guard);
            }
            self.visit_expr_mut(&mut arm.body);
            self.names.leave(depth);
        }
    }

    fn visit_expr_closure_mut(&mut self, node: &mut ExprClosure) {
        let depth = self.names.depth();
        node.inputs.iter().for_each(|pat| self.names.bind(pat, &Place::Unknown));
        self.visit_expr_mut(&mut node.body);
        self.names.leave(depth);
    }

    fn visit_expr_call_mut(&mut self, call: &mut ExprCall) {
        let first = call.args.first().map(|first| self.names.place(first));
        if let (Some(Place::Part(part)), Some(name)) = (first, opaque::forward_by_path(call)) {
            let message =
                format!("call it as a method, `self.{}.{name}(..)`: the call gives its sites their path", part.text());
            self.errors.push(syn::Error::new_spanned(&call.func, message));
        }
        visit_mut::visit_expr_call_mut(self, call);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let segment = match expr {
            Expr::MethodCall(call) if call.method.unraw().to_string().starts_with("forward") => self.segment(call),
            _ => None,
        };
        visit_mut::visit_expr_mut(self, expr);
        if let (Expr::MethodCall(call), Some(segment)) = (&mut *expr, segment) {
            *expr = entered(call, &segment);
        }
    }
}

/// The call with its arguments evaluated first and its segment entered around it.
///
/// Arguments that run no module stay in place: moving them would lose a reborrow or a closure's types.
fn entered(call: &ExprMethodCall, segment: &Segment) -> Expr {
    let (receiver, method, turbofish, segment) = (&call.receiver, &call.method, &call.turbofish, segment.tokens());
    let (mut names, mut values, mut arguments): (Vec<Ident>, Vec<&Expr>, Vec<Expr>) = Default::default();
    for (at, argument) in call.args.iter().enumerate() {
        if runs_nothing(argument) {
            arguments.push(argument.clone());
        } else {
            let name = format_ident!("__arrakis_arg{at}");
            arguments.push(parse_quote!(#name));
            names.push(name);
            values.push(argument);
        }
    }
    parse_quote! {
        match (#(#values,)*) {
            (#(#names,)*) => {
                let __arrakis_scope = ::arrakis::__private::hooks::enter(#segment);
                #receiver.#method #turbofish (#(#arguments),*)
            }
        }
    }
}

/// Whether no module can run while an argument is evaluated.
fn runs_nothing(argument: &Expr) -> bool {
    match argument {
        Expr::Path(_) | Expr::Lit(_) | Expr::Closure(_) => true,
        Expr::Field(inner) => runs_nothing(&inner.base),
        Expr::Reference(inner) => runs_nothing(&inner.expr),
        Expr::Unary(inner) => runs_nothing(&inner.expr),
        Expr::Paren(inner) => runs_nothing(&inner.expr),
        _ => false,
    }
}

fn drop_mut(pat: &mut Pat, options: &Options) {
    struct Drop<'a>(&'a Options);
    impl VisitMut for Drop<'_> {
        fn visit_pat_ident_mut(&mut self, pat: &mut syn::PatIdent) {
            if pat.by_ref.is_none() && self.0.is_site(&pat.ident) {
                pat.mutability = None;
            }
        }
    }
    Drop(options).visit_pat_mut(pat);
}
