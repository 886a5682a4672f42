//! The rewriting of a body: `let` → site, `self.field.forward(..)` → path segment, loop → index.
//!
//! Arguments of a nested forward are evaluated before its segment is entered: in
//! `self.attn.forward(self.ln1.forward(x))` the norm's sites are `ln1.*`, not `attn.ln1.*`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprForLoop, ExprIf, ExprMethodCall, Ident, Local, Member, Pat, Stmt, parse_quote};

use super::check::site_names;
use super::options::Options;

/// `let x = site("x", x);`
pub(crate) fn rebind(name: &Ident, mutable: bool) -> TokenStream {
    let text = name.to_string();
    let mutability = mutable.then(|| quote!(mut));
    quote! {
        let #mutability #name = {
            #[allow(unused_imports)]
            use ::arrakis::__private::hooks::{PassAny as _, PassTensor as _};
            (&mut ::arrakis::__private::hooks::Slot::new(#name)).pass(#text)
        };
    }
}

/// One pass over a method's body.
pub(crate) struct Rewrite<'a> {
    options: &'a Options,
    /// Variables that stand for a field of `self`, each with the path segment it stands for.
    aliases: Vec<(Ident, Expr)>,
    errors: Vec<syn::Error>,
}

impl<'a> Rewrite<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, aliases: Vec::new(), errors: Vec::new() }
    }

    /// All mistakes met on the way, as one error.
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
                let tokens = rebind(&name, is_mutable(&local.pat, &name));
                parse_quote!(#tokens)
            })
            .collect()
    }

    /// The site's own `let` carries the `mut`; on the first one it would be unused.
    fn drop_mut(&self, local: &mut Local) {
        if local.init.is_some() {
            drop_mut(&mut local.pat, self.options);
        }
    }

    /// The path segment of a receiver: `self.attn` → "attn", `self.experts[i]` → "experts.{i}", a loop variable → its own.
    fn segment(&self, receiver: &Expr) -> Option<Expr> {
        match receiver {
            Expr::Path(path) => {
                let name = path.path.get_ident()?;
                self.aliases.iter().rev().find(|(variable, _)| variable == name).map(|(_, segment)| segment.clone())
            }
            Expr::Index(index) => {
                let (field, position) = (self_field(&index.expr)?, &index.index);
                Some(parse_quote!(::std::format_args!("{}.{}", #field, #position)))
            }
            other => {
                let field = self_field(other)?;
                Some(parse_quote!(::std::format_args!(#field)))
            }
        }
    }

    /// The loop's variable and segment where it runs over a field of `self`.
    fn loop_over_field(&mut self, node: &ExprForLoop) -> Option<(Ident, Expr, Option<Ident>)> {
        let (field, methods) = field_chain(&node.expr)?;
        let plain = methods.iter().all(|method| matches!(method.as_str(), "iter" | "iter_mut" | "into_iter"));
        if plain {
            let Pat::Ident(variable) = &*node.pat else { return None };
            let counter = format_ident!("__arrakis_{}", variable.ident);
            return Some((
                variable.ident.clone(),
                parse_quote!(::std::format_args!("{}.{}", #field, #counter)),
                Some(counter),
            ));
        }
        if methods.get(1).map(String::as_str) == Some("enumerate")
            && let Some((index, variable)) = enumerated(&node.pat)
        {
            return Some((variable, parse_quote!(::std::format_args!("{}.{}", #field, #index)), None));
        }
        let message = format!(
            "the path of a site needs the index in `{field}`: write `for (i, item) in self.{field}.iter().enumerate()`, with `skip`, `take` or `rev` after it"
        );
        self.errors.push(syn::Error::new_spanned(&node.expr, message));
        None
    }
}

impl VisitMut for Rewrite<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        let statements = std::mem::take(&mut block.stmts);
        for mut statement in statements {
            let sites = match &mut statement {
                Stmt::Local(local) => {
                    let sites = self.sites_after(local);
                    self.drop_mut(local);
                    sites
                }
                _ => Vec::new(),
            };
            block.stmts.push(statement);
            block.stmts.extend(sites);
        }
    }

    fn visit_item_mut(&mut self, _item: &mut syn::Item) {}

    fn visit_expr_for_loop_mut(&mut self, node: &mut ExprForLoop) {
        let Some((variable, segment, counter)) = self.loop_over_field(node) else {
            return visit_mut::visit_expr_for_loop_mut(self, node);
        };
        self.aliases.push((variable, segment));
        self.visit_block_mut(&mut node.body);
        self.aliases.pop();
        if let Some(counter) = counter {
            let (pat, expr) = (&node.pat, &node.expr);
            let numbered: Expr = parse_quote!((#expr).into_iter().enumerate());
            let both: Pat = parse_quote!((#counter, #pat));
            *node.pat = both;
            *node.expr = numbered;
        }
    }

    fn visit_expr_if_mut(&mut self, node: &mut ExprIf) {
        let depth = self.aliases.len();
        collect_aliases(&node.cond, &mut self.aliases);
        self.visit_expr_mut(&mut node.cond);
        self.visit_block_mut(&mut node.then_branch);
        self.aliases.truncate(depth);
        if let Some((_, other)) = &mut node.else_branch {
            self.visit_expr_mut(other);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let Expr::MethodCall(call) = expr else { return };
        if !call.method.to_string().starts_with("forward") {
            return;
        }
        if let Some(segment) = self.segment(&call.receiver) {
            *expr = entered(call, &segment);
        }
    }
}

/// The call with its arguments evaluated first and its segment entered around it.
fn entered(call: &ExprMethodCall, segment: &Expr) -> Expr {
    let (receiver, method, turbofish) = (&call.receiver, &call.method, &call.turbofish);
    let names: Vec<Ident> = (0..call.args.len()).map(|i| format_ident!("__arrakis_arg{i}")).collect();
    let values = call.args.iter();
    parse_quote! {
        match (#(#values,)*) {
            (#(#names,)*) => {
                let __arrakis_scope = ::arrakis::__private::hooks::enter(#segment);
                #receiver.#method #turbofish (#(#names),*)
            }
        }
    }
}

/// `self.name` → "name".
fn self_field(expr: &Expr) -> Option<String> {
    let Expr::Field(field) = expr else { return None };
    let (Expr::Path(base), Member::Named(name)) = (&*field.base, &field.member) else {
        return None;
    };
    base.path.is_ident("self").then(|| name.to_string())
}

/// The field a chain starts from, and its methods: `self.name.iter().enumerate()` gives `name` with `iter` and `enumerate`.
fn field_chain(expr: &Expr) -> Option<(String, Vec<String>)> {
    match expr {
        Expr::Reference(reference) => field_chain(&reference.expr),
        Expr::MethodCall(call) => {
            let (field, mut methods) = field_chain(&call.receiver)?;
            methods.push(call.method.to_string());
            Some((field, methods))
        }
        other => self_field(other).map(|field| (field, Vec::new())),
    }
}

/// `(i, block)` → (i, block).
fn enumerated(pat: &Pat) -> Option<(Ident, Ident)> {
    let Pat::Tuple(tuple) = pat else { return None };
    match (tuple.elems.first(), tuple.elems.get(1)) {
        (Some(Pat::Ident(index)), Some(Pat::Ident(item))) => Some((index.ident.clone(), item.ident.clone())),
        _ => None,
    }
}

fn is_mutable(pat: &Pat, name: &Ident) -> bool {
    match pat {
        Pat::Ident(ident) => ident.ident == *name && ident.mutability.is_some(),
        Pat::Type(typed) => is_mutable(&typed.pat, name),
        Pat::Tuple(tuple) => tuple.elems.iter().any(|pat| is_mutable(pat, name)),
        _ => false,
    }
}

fn drop_mut(pat: &mut Pat, options: &Options) {
    match pat {
        Pat::Ident(ident) if ident.by_ref.is_none() && options.is_site(&ident.ident) => ident.mutability = None,
        Pat::Type(typed) => drop_mut(&mut typed.pat, options),
        Pat::Tuple(tuple) => tuple.elems.iter_mut().for_each(|pat| drop_mut(pat, options)),
        _ => {}
    }
}

/// `if let Some(norm) = &self.norm` makes `norm` stand for the field, in a chain of `&&` as well.
fn collect_aliases(condition: &Expr, aliases: &mut Vec<(Ident, Expr)>) {
    match condition {
        Expr::Let(binding) => {
            let (Pat::TupleStruct(pat), Some((field, methods))) = (&*binding.pat, field_chain(&binding.expr)) else {
                return;
            };
            let plain = methods.iter().all(|method| method == "as_ref");
            if let (true, Some(Pat::Ident(name))) = (plain, pat.elems.first()) {
                aliases.push((name.ident.clone(), parse_quote!(::std::format_args!(#field))));
            }
        }
        Expr::Binary(both) => {
            collect_aliases(&both.left, aliases);
            collect_aliases(&both.right, aliases);
        }
        _ => {}
    }
}
