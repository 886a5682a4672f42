//! The `let`s of a body: their sites, and the modules that they name.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, FnArg, ImplItemFn, Local, Stmt, parse_quote};

use super::kept::Kept;
use super::names::variables;
use super::patterns::{How, is_conditional};
use super::place::Place;
use super::rewrite::Rewrite;
use super::{attributes, check, sites};

impl Rewrite<'_> {
    /// `let x = site("x", x);` for each argument named in `inputs(..)`.
    pub(crate) fn inputs(&mut self, method: &ImplItemFn) -> Vec<TokenStream> {
        let mut statements = Vec::new();
        for (name, conditions) in check::input_names(self.options, method) {
            let binding = self.bindings.pop_front().unwrap_or_default();
            let mutable = method.sig.inputs.iter().any(|arg| match arg {
                FnArg::Typed(typed) => check::is_mutable(&typed.pat, &name),
                FnArg::Receiver(_) => false,
            });
            if mutable {
                statements.push(sites::refused(&name, &quote!(arrakis_mut()), &conditions, &mut self.needs));
            } else {
                statements.extend(sites::site(&name, &binding, &conditions, &mut self.needs));
            }
        }
        statements
    }

    /// The statements after a `let`: its sites, and the checks of variables that cannot be sites.
    fn sites_after(&mut self, local: &Local) -> Vec<Stmt> {
        let mut statements = Vec::new();
        for (name, conditions) in check::site_names(self.options, local) {
            let binding = self.bindings.pop_front().unwrap_or_default();
            debug_assert_eq!(name.to_string().trim_start_matches("r#"), binding.name, "BUG: another order of bindings");
            statements.extend(sites::site(&name, &binding, &conditions, &mut self.needs));
        }
        for (name, conditions) in check::mutable_names(self.options, local) {
            statements.push(sites::refused(&name, &quote!(arrakis_mut()), &conditions, &mut self.needs));
        }
        if local.init.is_none() {
            self.deferred.extend(variables(&local.pat).into_iter().filter(|name| self.options.is_site(name)));
        }
        statements.into_iter().map(|tokens| parse_quote!(#tokens)).collect()
    }

    /// A `let`, and the indices that its variables keep.
    pub(super) fn local(&mut self, local: &mut Local) -> (Vec<Kept>, Vec<Stmt>) {
        let bound = local.init.clone();
        self.visit_local_mut(local);
        let depth = self.names.depth();
        let conditional = is_conditional(&local.attrs);
        match &bound {
            Some(init) => {
                let how = How { always: init.diverge.is_none(), conditional };
                self.names.bind_to(&local.pat, &init.expr, how);
            }
            None => {
                for name in variables(&local.pat) {
                    self.names.push(&name, Place::Unknown { skippable: false }, false, conditional);
                }
            }
        }
        (self.names.keep(depth), self.sites_after(local))
    }

    /// An assignment to a variable without a value. It is no tensor, or the compiler refuses it.
    pub(super) fn assignment(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let Expr::Assign(assign) = &*expr else { return };
        let Expr::Path(path) = &*assign.left else { return };
        let Some(name) = path.path.get_ident().filter(|name| self.deferred.contains(name)).cloned() else { return };
        let attributes = attributes::taken(expr);
        let check = sites::refused(&name, &quote!(arrakis_later()), &[], &mut self.needs);
        *expr = parse_quote!(#(#attributes)* { #expr; #check });
    }
}
