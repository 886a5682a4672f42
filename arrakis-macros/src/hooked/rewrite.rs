//! The rewriting of a body: `let` → site, `self.field.forward(..)` → path segment, loop → index.
//!
//! Arguments of a nested forward are evaluated before its segment is entered: in
//! `self.attn.forward(self.ln1.forward(x))` the norm's sites are `ln1.*`, not `attn.ln1.*`.

use std::collections::{BTreeSet, VecDeque};

use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    BinOp, Block, Expr, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprMatch, ExprPath, ExprWhile, FnArg, Ident,
    ImplItemFn, Item, Macro, Stmt, parse_quote,
};

use super::bindings::{self, Binding};
use super::kept::Kept;
use super::names::{Names, variables};
use super::options::Options;
use super::patterns::{How, is_conditional};
use super::place::Place;
use super::sites::{self, Needs};
use super::{attributes, loops, opaque};

/// One pass over a method's body.
pub(crate) struct Rewrite<'a> {
    pub(super) options: &'a Options,
    pub(super) names: Names,
    pub(super) bindings: VecDeque<Binding>,
    /// Variables that get their value after their `let`.
    pub(super) deferred: BTreeSet<Ident>,
    pub(super) needs: Needs,
    /// Whether the code may run in the scope of another module.
    pub(super) in_closure: bool,
    /// Whether the method's own block is entered.
    inside: bool,
    errors: Vec<syn::Error>,
}

impl<'a> Rewrite<'a> {
    pub(crate) fn new(options: &'a Options, method: &ImplItemFn) -> Self {
        let mut names = Names::of(method);
        for arg in &method.sig.inputs {
            if let FnArg::Typed(typed) = arg {
                for name in variables(&typed.pat) {
                    names.push(&name, Place::Unknown { skippable: true }, false, is_conditional(&typed.attrs));
                }
            }
        }
        Self {
            options,
            names,
            bindings: bindings::of(options, method),
            deferred: BTreeSet::new(),
            needs: Needs::default(),
            in_closure: false,
            inside: false,
            errors: Vec::new(),
        }
    }

    /// What the first statements must provide; or all mistakes found, as one error.
    pub(crate) fn finish(self) -> syn::Result<Needs> {
        let all = self.errors.into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        });
        all.map_or(Ok(self.needs), Err)
    }

    pub(super) fn error(&mut self, at: impl ToTokens, message: &str) {
        let error = syn::Error::new_spanned(at, message);
        let known = self.errors.iter().any(|known| {
            known.to_string() == message && format!("{:?}", known.span()) == format!("{:?}", error.span())
        });
        if !known {
            self.errors.push(error);
        }
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
                self.names.bind_to(&pat, &expr, How { always: false, conditional: false });
            }
            other => self.visit_expr_mut(other),
        }
    }

    /// A condition and the block that runs under it.
    fn conditional_block(&mut self, condition: &mut Expr, block: &mut Block) {
        let depth = self.names.depth();
        let written = condition.clone();
        self.condition(condition);
        let kept = self.names.keep_after(depth, &written);
        self.visit_block_mut(block);
        block.stmts.splice(0..0, self.names.kept(&kept, &[]));
        self.names.leave(depth);
    }

    /// An expression with the indices that its variables keep before it.
    fn with_kept(&self, expr: &mut Expr, kept: &[Kept]) {
        let kept = self.names.kept(kept, &[]);
        if !kept.is_empty() {
            let attributes = attributes::taken(expr);
            *expr = parse_quote!(#(#attributes)* { #(#kept)* #expr });
        }
    }

    fn match_of(&mut self, node: &mut ExprMatch) -> Vec<Kept> {
        let matched = node.expr.clone();
        self.visit_expr_mut(&mut node.expr);
        let always = node.arms.len() == 1 && node.arms[0].guard.is_none();
        let mut all = Vec::new();
        for arm in &mut node.arms {
            let depth = self.names.depth();
            self.names.bind_to(&arm.pat, &matched, How { always, conditional: false });
            all.extend(self.names.keep(depth));
            if let Some((_, guard)) = &mut arm.guard {
                self.condition(guard);
            }
            self.visit_expr_mut(&mut arm.body);
            self.names.leave(depth);
        }
        all
    }

    fn for_loop(&mut self, node: &mut ExprForLoop) -> Vec<Kept> {
        let (looped, kept) = loops::over(&mut self.names, node);
        self.visit_expr_mut(&mut node.expr);
        let depth = self.names.depth();
        looped.bind(&mut self.names, &node.pat);
        self.visit_block_mut(&mut node.body);
        self.names.leave(depth);
        self.needs.traits |= looped.count(&self.names, node);
        kept
    }
}

impl VisitMut for Rewrite<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let depth = self.names.depth();
        let outermost = !std::mem::replace(&mut self.inside, true);
        let mut kept = Vec::new();
        for mut statement in std::mem::take(&mut block.stmts) {
            let mut sites = Vec::new();
            match &mut statement {
                Stmt::Local(local) => {
                    let (indices, after) = self.local(local);
                    kept.push((block.stmts.len(), indices, local.attrs.clone()));
                    sites = after;
                }
                Stmt::Expr(last, None) if outermost => self.returned(last),
                other => self.visit_stmt_mut(other),
            }
            block.stmts.push(statement);
            block.stmts.extend(sites);
        }
        for (at, indices, attributes) in kept.into_iter().rev() {
            let conditions: Vec<_> = sites::conditions(&attributes).cloned().collect();
            block.stmts.splice(at..at, self.names.kept(&indices, &conditions));
        }
        self.names.leave(depth);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        if let Item::Fn(function) = item {
            self.errors.extend(opaque::forwards_in_function(function));
        }
    }

    fn visit_macro_mut(&mut self, node: &mut Macro) {
        self.errors.extend(opaque::forwards_in(&node.tokens));
    }

    fn visit_expr_if_mut(&mut self, node: &mut ExprIf) {
        self.conditional_block(&mut node.cond, &mut node.then_branch);
        if let Some((_, other)) = &mut node.else_branch {
            self.visit_expr_mut(other);
        }
    }

    fn visit_expr_while_mut(&mut self, node: &mut ExprWhile) {
        self.conditional_block(&mut node.cond, &mut node.body);
    }

    fn visit_expr_closure_mut(&mut self, node: &mut ExprClosure) {
        self.closure(node, &Place::Unknown { skippable: false });
    }

    fn visit_expr_call_mut(&mut self, call: &mut ExprCall) {
        self.call(call);
    }

    fn visit_expr_path_mut(&mut self, path: &mut ExprPath) {
        self.passed_on(path);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::MethodCall(_) => self.method_call(expr),
            Expr::Assign(_) => self.assignment(expr),
            Expr::Return(node) => node.expr.iter_mut().for_each(|value| self.returned(value)),
            Expr::Match(node) => {
                let kept = self.match_of(node);
                self.with_kept(expr, &kept);
            }
            Expr::ForLoop(node) => {
                let kept = self.for_loop(node);
                self.with_kept(expr, &kept);
            }
            other => visit_mut::visit_expr_mut(self, other),
        }
    }
}
