//! Which part of `self` an expression denotes.

use syn::{Expr, ExprCall, ExprMethodCall};

use super::names::{Names, is_variable};
use super::parts;
use super::place::Place;
use super::steady::is_fixed;

/// Methods whose result is the same part of `self`, as far as the path of a site is concerned.
const TRANSPARENT: [&str; 10] =
    ["as_slice", "as_ref", "as_mut", "as_deref", "as_deref_mut", "unwrap", "expect", "clone", "borrow", "borrow_mut"];

/// Methods of a list or a map that take one item.
const ONE_ITEM: [&str; 9] = ["get", "get_mut", "first", "first_mut", "last", "last_mut", "nth", "next", "pop"];

impl Names {
    /// Which part of `self` an expression denotes.
    pub(crate) fn place(&self, expr: &Expr) -> Place {
        match expr {
            Expr::Path(path) if path.path.is_ident("self") => Place::Own,
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) if is_variable(name) => self.find(name),
                _ => Place::Fresh,
            },
            Expr::Field(field) => self.place(&field.base).member(&field.member),
            Expr::Index(index) => self.item(&index.expr, &index.index),
            Expr::MethodCall(call) => self.result(call),
            Expr::Reference(inner) => self.place(&inner.expr),
            Expr::Paren(inner) => self.place(&inner.expr),
            Expr::Group(inner) => self.place(&inner.expr),
            Expr::Unary(inner) => self.place(&inner.expr),
            Expr::Cast(inner) => self.place(&inner.expr),
            Expr::Try(inner) => self.place(&inner.expr),
            Expr::Call(call) if matches!(&*call.func, Expr::Path(_)) => self.made(call),
            Expr::Struct(_) if !parts::any_in(self, expr) => Place::Fresh,
            Expr::If(_) | Expr::Match(_) if parts::any_in(self, expr) => {
                Place::lost("which part of `self` this is depends on the branch: call `forward` in each branch", expr)
            }
            other => Place::Unknown { skippable: !parts::any_in(self, other) },
        }
    }

    fn item(&self, list: &Expr, index: &Expr) -> Place {
        match self.place(list) {
            Place::Part(list) if matches!(index, Expr::Range(_)) => {
                Place::lost(format!("a range of `{0}` loses the index: write `self.{0}[i]`", list.shown()), index)
            }
            Place::Part(list) => Place::Part(list.item(index.clone())),
            Place::Own => Place::Unknown { skippable: false },
            other => other,
        }
    }

    fn result(&self, call: &ExprMethodCall) -> Place {
        let method = call.method.to_string();
        if method.starts_with("forward") || parts::PLAIN.contains(&method.as_str()) {
            return Place::Unknown { skippable: true };
        }
        match self.place(&call.receiver) {
            Place::Fresh if !call.args.iter().any(|arg| parts::any_in(self, arg)) => Place::Fresh,
            Place::Fresh => Place::Unknown { skippable: false },
            Place::Lost(lost) => Place::Lost(lost),
            place if TRANSPARENT.contains(&method.as_str()) => place,
            Place::Part(list) if ONE_ITEM.contains(&method.as_str()) => Place::lost(
                format!("`{method}` loses the index: write `self.{}[i]`, or `if let` for an option", list.shown()),
                call,
            ),
            Place::Unknown { skippable } => {
                Place::Unknown { skippable: skippable && !call.args.iter().any(|arg| parts::any_in(self, arg)) }
            }
            Place::Own | Place::Part(_) => Place::Unknown { skippable: false },
        }
    }

    /// What a function or constructor returns. `Some(&self.a)` is still the same part.
    fn made(&self, call: &ExprCall) -> Place {
        let Expr::Path(path) = &*call.func else { return Place::Unknown { skippable: false } };
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wraps = matches!(names.as_slice(), [.., "Some" | "Ok"] | [.., "Box" | "Rc" | "Arc", "new"]);
        let only = call.args.first().filter(|_| wraps && call.args.len() == 1).map(|only| self.place(only));
        match only {
            // An index inside the call cannot be evaluated before it.
            Some(Place::Part(segment)) if !segment.holes.iter().all(is_fixed) => Place::Unknown { skippable: false },
            Some(place) if place.is_of_self() => place,
            _ if call.args.iter().any(|arg| parts::any_in(self, arg)) => Place::Unknown { skippable: false },
            _ => Place::Fresh,
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::{ImplItemFn, parse_quote};

    use super::*;
    use crate::hooked::patterns::How;

    /// The path of `m` after a `let`, or why it is not known.
    fn path_of_m(binding: &str) -> String {
        let method: ImplItemFn = syn::parse_str(&format!("fn forward(&self) {{ {binding} }}")).unwrap();
        let Some(syn::Stmt::Local(local)) = method.block.stmts.first() else { panic!("{binding}") };
        let mut names = Names::of(&method);
        let init = local.init.as_ref().unwrap();
        names.bind_to(&local.pat, &init.expr, How { always: init.diverge.is_none(), conditional: false });
        match names.place(&parse_quote!(m)) {
            Place::Part(segment) => segment.shown(),
            Place::Own => "self".into(),
            Place::Fresh => "fresh".into(),
            Place::Lost(lost) => format!("lost: {}", lost.why),
            Place::Unknown { skippable } => format!("unknown, skippable: {skippable}"),
        }
    }

    #[test]
    fn a_pattern_gives_its_variables_a_path() {
        for (binding, path) in [
            ("let m = &self.a;", "a"),
            ("let m = self;", "self"),
            ("let W(m) = &self.w;", "w.0"),
            ("let Self(m) = self;", "0"),
            ("let Self { a: m, .. } = self;", "a"),
            ("let [_, m] = &self.two;", "two.1"),
            ("let [m, ..] = &self.two;", "two.0"),
            ("let (m, n) = (&self.a, &self.b);", "a"),
            ("let Some(m) = &self.n else { return };", "n"),
            ("let Kind::A(m) = &self.kind else { return };", "kind"),
            ("let Kind::B(_, m) = &self.kind else { return };", "kind.1"),
            ("let Kind::C { m } = &self.kind else { return };", "kind.m"),
            ("let (Kind::A(m) | Kind::B(m)) = &self.kind else { return };", "kind"),
            ("let whole @ W(m) = &self.w;", "w.0"),
            ("let m = Some(&self.a);", "a"),
            ("let m = Box::new(self.a.clone());", "a"),
            ("let m = &self.d[i].list;", "d[..].list"),
            ("let m = Relu::new(self.p);", "fresh"),
        ] {
            assert_eq!(path_of_m(binding), path, "{binding}");
        }
    }

    #[test]
    fn what_hides_a_path_is_not_followed() {
        for binding in [
            "let m = if c { &self.a } else { &self.b };",
            "let (.., m) = &self.pair;",
            "let [n, m @ ..] = &self.two;",
            "let One(m) = &self.kind else { return };",
            "let Kind::B(m, ..) = &self.kind else { return };",
            "let m = self.d.get(1);",
            "let m = &self.d[1..];",
            "let (Self { a: m, .. } | Self { b: m, .. }) = self;",
        ] {
            assert!(path_of_m(binding).starts_with("lost: "), "{binding}: {}", path_of_m(binding));
        }
        for binding in ["let m = pick(&self.a, &self.b);", "let m = W { inner: &self.a };", "let m = self.pick();"] {
            assert_eq!(path_of_m(binding), "unknown, skippable: false", "{binding}");
        }
        assert_eq!(path_of_m("let m = factory.make();"), "unknown, skippable: true");
    }
}
