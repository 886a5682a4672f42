//! Which `let`s bind one name, and which of them one call may reach.
//!
//! Types decide what is a tensor: this file only says what a binding must be checked against. [`super::sites`] writes the
//! checks.

use std::collections::{BTreeSet, VecDeque};

use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    Arm, BinOp, Block, Expr, ExprBinary, ExprClosure, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprWhile, Ident,
    ImplItemFn, Local, Stmt,
};

use super::check::{input_names, site_names};
use super::options::Options;
use super::patterns::is_conditional;
use super::seen::Seen;

/// One variable that may be a site.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) in_loop: bool,
    /// Whether another binding of the name may run in the same call. The run decides.
    pub(crate) shared: bool,
    /// Bindings of the name that have run whenever this one does.
    pub(crate) after: Vec<usize>,
    /// Whether a later binding needs to know what this one is.
    pub(crate) marked: bool,
}

/// The variables of a method that may be sites, in the order in which they are written.
pub(crate) fn of(options: &Options, method: &ImplItemFn) -> VecDeque<Binding> {
    let mut paths = Paths { options, found: Vec::new(), seen: Seen::default(), repeated: None, conditional: false };
    for (name, attributes) in input_names(options, method) {
        paths.conditional = is_conditional(&attributes);
        paths.site(&name);
    }
    paths.conditional = false;
    paths.visit_block(&method.block);
    let mut found = paths.found;
    let shared: BTreeSet<String> = found.iter().filter(|one| one.shared).map(|one| one.name.clone()).collect();
    let marked: BTreeSet<usize> = found.iter().flat_map(|one| one.after.clone()).collect();
    for one in &mut found {
        one.shared = shared.contains(&one.name);
        one.marked = marked.contains(&one.number);
    }
    found.into()
}

struct Paths<'a> {
    options: &'a Options,
    found: Vec<Binding>,
    seen: Seen,
    repeated: Option<Repeated>,
    /// Whether a `#[cfg]` may leave the code out.
    conditional: bool,
}

/// Code that may run several times.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Loop,
    Closure,
}

impl Paths<'_> {
    fn site(&mut self, name: &Ident) {
        let (number, name) = (self.found.len(), name.unraw().to_string());
        let after = self.seen.sure.get(&name).cloned().unwrap_or_default();
        let in_loop = self.repeated == Some(Repeated::Loop);
        let shared = self.seen.maybe.contains(&name) || self.repeated == Some(Repeated::Closure);
        if self.conditional {
            self.seen.maybe.insert(name.clone());
        } else {
            self.seen.sure.entry(name.clone()).or_default().push(number);
        }
        self.found.push(Binding { number, name, in_loop, shared, after, marked: false });
    }

    /// What is seen at the end of a branch.
    fn branch(&mut self, visit: impl FnOnce(&mut Self)) -> Seen {
        let before = self.seen.clone();
        visit(self);
        std::mem::replace(&mut self.seen, before)
    }

    /// Code that may or may not run.
    fn perhaps(&mut self, visit: impl FnOnce(&mut Self)) {
        let ran = self.branch(visit);
        self.seen = Seen::joined(vec![self.seen.clone(), ran]);
    }

    fn repeated(&mut self, what: Repeated, visit: impl FnOnce(&mut Self)) {
        let outer = self.repeated;
        // A closure in a loop runs in the loop.
        self.repeated = outer.filter(|outer| *outer == Repeated::Loop).or(Some(what));
        self.perhaps(visit);
        self.repeated = outer;
    }

    fn under(&mut self, conditional: bool, visit: impl FnOnce(&mut Self)) {
        let outer = self.conditional;
        self.conditional |= conditional;
        if conditional {
            self.perhaps(visit);
        } else {
            visit(self);
        }
        self.conditional = outer;
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let conditional = match statement {
            Stmt::Local(local) => is_conditional(&local.attrs),
            Stmt::Expr(expr, _) => is_conditional(super::attributes::of(expr)),
            Stmt::Item(_) | Stmt::Macro(_) => false,
        };
        self.under(conditional, |paths| visit::visit_stmt(paths, statement));
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            self.visit_expr(&init.expr);
            if let Some((_, otherwise)) = &init.diverge {
                let _ = self.branch(|paths| paths.visit_expr(otherwise));
            }
        }
        for (name, attributes) in site_names(self.options, local) {
            let outer = self.conditional;
            self.conditional |= is_conditional(&attributes);
            self.site(&name);
            self.conditional = outer;
        }
    }

    fn visit_item(&mut self, _item: &'ast syn::Item) {}

    fn visit_expr_if(&mut self, node: &'ast ExprIf) {
        self.visit_expr(&node.cond);
        let then = self.branch(|paths| paths.visit_block(&node.then_branch));
        let mut ends = if leaves(&node.then_branch) { Vec::new() } else { vec![then] };
        match &node.else_branch {
            None => ends.push(self.seen.clone()),
            Some((_, other)) => {
                let end = self.branch(|paths| paths.visit_expr(other));
                ends.extend((!leaving(other)).then_some(end));
            }
        }
        self.seen = Seen::joined(ends);
    }

    fn visit_expr_match(&mut self, node: &'ast ExprMatch) {
        self.visit_expr(&node.expr);
        let mut ends = Vec::new();
        for arm in &node.arms {
            let end = self.branch(|paths| paths.under(is_conditional(&arm.attrs), |paths| paths.visit_arm(arm)));
            ends.extend((!leaving(&arm.body)).then_some(end));
        }
        self.seen = Seen::joined(ends);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.visit_expr(guard);
        }
        self.visit_expr(&arm.body);
    }

    fn visit_expr_binary(&mut self, node: &'ast ExprBinary) {
        self.visit_expr(&node.left);
        if matches!(node.op, BinOp::And(_) | BinOp::Or(_)) {
            self.perhaps(|paths| paths.visit_expr(&node.right));
        } else {
            self.visit_expr(&node.right);
        }
    }

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        self.visit_expr(&node.expr);
        self.repeated(Repeated::Loop, |paths| paths.visit_block(&node.body));
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        self.repeated(Repeated::Loop, |paths| visit::visit_expr_while(paths, node));
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        self.repeated(Repeated::Loop, |paths| paths.visit_block(&node.body));
    }

    fn visit_expr_closure(&mut self, node: &'ast ExprClosure) {
        self.repeated(Repeated::Closure, |paths| paths.visit_expr(&node.body));
    }
}

/// Whether nothing runs after a block.
fn leaves(block: &Block) -> bool {
    matches!(block.stmts.last(), Some(Stmt::Expr(last, _)) if leaving(last))
}

fn leaving(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        Expr::Block(block) => leaves(&block.block),
        Expr::If(node) => {
            leaves(&node.then_branch) && node.else_branch.as_ref().is_some_and(|(_, other)| leaving(other))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bindings of `y` in a body: what each is compared with, and whether the run decides.
    fn of_y(body: &str) -> Vec<(Vec<usize>, bool)> {
        let method: ImplItemFn = syn::parse_str(&format!("fn forward(&self) {{ {body} }}")).unwrap();
        of(&Options::default(), &method).into_iter().map(|one| (one.after, one.shared)).collect()
    }

    #[test]
    fn bindings_on_one_path_are_compared() {
        assert_eq!(of_y("let y = f(); let y = g();"), [(vec![], false), (vec![0], false)]);
        assert_eq!(of_y("{ let y = f(); } let y = g();"), [(vec![], false), (vec![0], false)]);
        assert_eq!(of_y("let y = f(); if c { let y = g(); }"), [(vec![], false), (vec![0], false)]);
        assert_eq!(of_y("let y = f(); if c { g(); } let y = h();"), [(vec![], false), (vec![0], false)]);
    }

    #[test]
    fn bindings_on_paths_that_exclude_each_other_are_not() {
        let apart = [(vec![], false), (vec![], false)];
        assert_eq!(of_y("if c { let y = f(); } else { let y = g(); }"), apart);
        assert_eq!(of_y("match c { A => { let y = f(); } B => { let y = g(); } }"), apart);
        assert_eq!(of_y("if c { let y = f(); return y; } let y = g();"), apart);
        assert_eq!(of_y("let Some(z) = c else { let y = f(); return y; }; let y = g();")[1], (vec![], false));
    }

    #[test]
    fn the_run_decides_what_the_code_does_not_say() {
        let shared = [(vec![], true), (vec![], true)];
        assert_eq!(of_y("if c { let y = f(); } let y = g();"), shared);
        assert_eq!(of_y("#[cfg(a)] let y = f(); #[cfg(b)] let y = g();"), shared);
        assert_eq!(of_y("let f = |h| { let y = f(); y };"), [(vec![], true)]);
        assert_eq!(of_y("c && { let y = f(); true }; let y = g();"), shared);
    }
}
