//! One tensor per site: a name that would mean several tensors in one run is refused where it is bound.

use std::collections::BTreeSet;

use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    BinOp, Block, Expr, ExprAssign, ExprBinary, ExprClosure, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprWhile,
    Ident, ImplItemFn, Local, Stmt,
};

use super::check::site_names;
use super::options::Options;
use super::place::{is_mutable, variables};

/// Refuses a site that is bound twice on one path, in repeated code, without a value, or changed afterwards.
pub(crate) fn check(options: &Options, method: &ImplItemFn) -> syn::Result<()> {
    let mut changed = Changed::default();
    changed.visit_block(&method.block);
    let seen = options.inputs.iter().map(|name| name.unraw().to_string()).collect();
    let mut paths = Paths { options, changed: changed.0, seen, repeated: None, error: None };
    paths.visit_block(&method.block);
    paths.error.map_or(Ok(()), Err)
}

/// The sites bound so far on the path through a body.
struct Paths<'a> {
    options: &'a Options,
    changed: BTreeSet<String>,
    seen: BTreeSet<String>,
    /// What runs several times: `a loop`, `a closure`.
    repeated: Option<&'static str>,
    error: Option<syn::Error>,
}

impl Paths<'_> {
    fn site(&mut self, name: &Ident, mutable: bool) {
        let plain = name.unraw().to_string();
        let skip = format!("list it in `#[hooked(skip({plain}))]`");
        let problem = if let Some(repeated) = self.repeated {
            Some(format!(
                "`{plain}` is bound in {repeated}, so the site `{plain}` would mean one tensor per iteration; {skip}, or bind it in a method of the module that is looped over"
            ))
        } else if self.seen.contains(&plain) {
            Some(format!(
                "`{plain}` is bound twice, so the site `{plain}` would mean two tensors; rename one, or {skip}"
            ))
        } else if mutable && self.changed.contains(&plain) {
            Some(format!(
                "`{plain}` is changed after it is bound, so the site `{plain}` would hold its first value alone; {skip}, and bind its last value to another name"
            ))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.refuse(name, problem);
        }
        self.seen.insert(plain);
    }

    fn refuse(&mut self, name: &Ident, problem: String) {
        self.error.get_or_insert(syn::Error::new(name.span(), problem));
    }

    /// One of several branches, of which a run takes one. Returns the sites it bound, or `None` if it returns or
    /// breaks.
    fn branch(&mut self, visit: impl FnOnce(&mut Self), leaves: bool) -> BTreeSet<String> {
        let before = self.seen.clone();
        visit(self);
        let seen = std::mem::replace(&mut self.seen, before);
        if leaves { BTreeSet::new() } else { seen }
    }

    fn repeated(&mut self, what: &'static str, visit: impl FnOnce(&mut Self)) {
        let outer = self.repeated.replace(what);
        let _ = self.branch(visit, true);
        self.repeated = outer;
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        for name in site_names(local).into_iter().filter(|name| self.options.is_site(name)) {
            self.site(&name, is_mutable(&local.pat, &name));
        }
        if local.init.is_none() {
            for name in variables(&local.pat).into_iter().filter(|name| self.options.is_site(name)) {
                let problem = format!(
                    "`{name}` is bound without a value, so there is no site `{name}`; write `let {name} = ..;`, such as `let {name} = if ..`, or list it in `#[hooked(skip({name}))]`"
                );
                self.refuse(&name, problem);
            }
        }
    }

    fn visit_item(&mut self, _item: &'ast syn::Item) {}

    fn visit_expr_if(&mut self, node: &'ast ExprIf) {
        self.visit_expr(&node.cond);
        let then = self.branch(|paths| paths.visit_block(&node.then_branch), leaves(&node.then_branch));
        if let Some((_, other)) = &node.else_branch {
            let leaves = matches!(&**other, Expr::Block(block) if leaves(&block.block));
            let other = self.branch(|paths| paths.visit_expr(other), leaves);
            self.seen.extend(other);
        }
        self.seen.extend(then);
    }

    fn visit_expr_match(&mut self, node: &'ast ExprMatch) {
        self.visit_expr(&node.expr);
        let arms: Vec<_> =
            node.arms.iter().map(|arm| self.branch(|paths| paths.visit_expr(&arm.body), leaving(&arm.body))).collect();
        self.seen.extend(arms.into_iter().flatten());
    }

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        self.visit_expr(&node.expr);
        self.repeated("a loop", |paths| paths.visit_block(&node.body));
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        self.repeated("a loop", |paths| visit::visit_expr_while(paths, node));
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        self.repeated("a loop", |paths| paths.visit_block(&node.body));
    }

    fn visit_expr_closure(&mut self, node: &'ast ExprClosure) {
        self.repeated("a closure", |paths| paths.visit_expr(&node.body));
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
        _ => false,
    }
}

/// Variables that are assigned to.
#[derive(Default)]
struct Changed(BTreeSet<String>);

impl Changed {
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Path(path) => self.0.extend(path.path.get_ident().map(|name| name.unraw().to_string())),
            Expr::Tuple(tuple) => tuple.elems.iter().for_each(|target| self.target(target)),
            Expr::Array(array) => array.elems.iter().for_each(|target| self.target(target)),
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Changed {
    fn visit_expr_assign(&mut self, node: &'ast ExprAssign) {
        self.target(&node.left);
        visit::visit_expr_assign(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast ExprBinary) {
        use BinOp::{AddAssign, DivAssign, MulAssign, RemAssign, SubAssign};
        if matches!(node.op, AddAssign(_) | SubAssign(_) | MulAssign(_) | DivAssign(_) | RemAssign(_)) {
            self.target(&node.left);
        }
        visit::visit_expr_binary(self, node);
    }
}
