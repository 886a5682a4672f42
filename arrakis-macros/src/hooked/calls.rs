//! The calls of a body: which of them enter a segment of the path.

use syn::visit_mut::VisitMut;
use syn::{Expr, ExprCall, ExprClosure, ExprMethodCall, ExprPath};

use super::names::variables;
use super::place::{Lost, Place, Segment};
use super::rewrite::Rewrite;
use super::{enter, loops, opaque};

impl Rewrite<'_> {
    /// A closure; `given` is what its arguments denote.
    pub(super) fn closure(&mut self, node: &mut ExprClosure, given: &Place) {
        let depth = self.names.depth();
        for name in node.inputs.iter().flat_map(variables) {
            self.names.push(&name, given.clone(), false, false);
        }
        let outer = std::mem::replace(&mut self.in_closure, true);
        self.visit_expr_mut(&mut node.body);
        self.in_closure = outer;
        self.names.leave(depth);
    }

    /// The value of the method. A closure cannot borrow the variables that keep its path, so it takes them along. It
    /// borrows nothing else of the method, or it could not be returned.
    pub(super) fn returned(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Closure(closure) => {
                closure.capture.get_or_insert_with(Default::default);
                self.closure(closure, &Place::Unknown { skippable: false });
            }
            Expr::Call(call) if enter::is_box(&call.func) => {
                call.args.iter_mut().for_each(|argument| self.returned(argument));
            }
            other => self.visit_expr_mut(other),
        }
    }

    /// The arguments of a method. A closure gets what the receiver holds.
    fn arguments(&mut self, call: &mut ExprMethodCall) {
        let given = match loops::list_of(&self.names, &call.receiver) {
            Some(list) => Place::lost(loops::needs_loop(&list), &call.method),
            None => Place::Unknown { skippable: false },
        };
        self.visit_expr_mut(&mut call.receiver);
        for argument in &mut call.args {
            match argument {
                Expr::Closure(closure) => self.closure(closure, &given),
                other => self.visit_expr_mut(other),
            }
        }
    }

    /// The segment that a `forward` enters; `None` if it stays in this scope.
    fn segment(&mut self, call: &ExprMethodCall) -> Option<Segment> {
        let name = match &*call.receiver {
            Expr::Path(path) => path.path.get_ident().cloned(),
            _ => None,
        };
        match self.names.place(&call.receiver) {
            Place::Part(segment) => {
                if let Some(argument) = enter::conditional_argument(call) {
                    self.error(
                        argument,
                        "bind this argument with a `let` under the same `#[cfg]`: it runs before the module",
                    );
                }
                if !enter::is_steady_path(&call.receiver, &segment) {
                    self.error(&call.receiver, "the path of a site keeps the index of this module: bind it to a name of its own first, `let at = ..;`, and index with `at`");
                }
                self.names.uses(&segment);
                self.needs.call |= self.in_closure;
                return Some(segment);
            }
            Place::Own | Place::Fresh => {}
            Place::Lost(Lost { why, at }) => self.error(at, &why),
            Place::Unknown { .. } if self.is_skipped(&call.receiver) => {}
            Place::Unknown { skippable } => {
                let skip = name.filter(|_| skippable).map_or_else(String::new, |name| {
                    format!("; if it is not part of `self`, list it in `#[hooked(skip({name}))]`")
                });
                let message = format!(
                    "the path of a site needs to know which field of `self` this is: call `self.field.{}(..)` where the field is chosen, or bind the field itself with `let`, `if let`, `match` or `for`{skip}",
                    call.method
                );
                self.error(&call.receiver, &message);
            }
        }
        None
    }

    pub(super) fn method_call(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { return };
        let segment = if opaque::is_forward(&call.method) { self.segment(call) } else { None };
        self.arguments(call);
        if let Some(segment) = segment {
            *expr = enter::entered(call, segment, self.in_closure);
        }
    }

    /// A call of a function, which may be a `forward` by the path of its type.
    pub(super) fn call(&mut self, call: &mut ExprCall) {
        match opaque::forward_by_path(call) {
            None => self.visit_expr_mut(&mut call.func),
            Some(name) => {
                if let Some(field) = call.args.first().and_then(|first| self.hidden_module(first, &call.func)) {
                    let message =
                        format!("call it as a method, `{field}.{name}(..)`: the call gives its sites their path");
                    self.error(&call.func, &message);
                }
            }
        }
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
    }

    /// The module that a `forward` gets as its first argument, in words, if its path would be lost.
    fn hidden_module(&self, first: &Expr, function: &Expr) -> Option<String> {
        let of_self = matches!(function, Expr::Path(path) if path.path.segments[0].ident == "Self");
        match self.names.place(first) {
            Place::Part(part) => Some(format!("self.{}", part.shown())),
            Place::Lost(_) => Some("self.field".to_owned()),
            Place::Unknown { skippable: false } if !of_self && !self.is_skipped(first) => Some("self.field".to_owned()),
            _ => None,
        }
    }

    fn is_skipped(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Path(path) if path.path.get_ident().is_some_and(|name| self.options.skips(name)))
    }

    /// A `forward` that is not called here.
    pub(super) fn passed_on(&mut self, path: &mut ExprPath) {
        if let Some(name) = opaque::forward_of(path) {
            let message = format!(
                "a `{name}` that is passed on gives its sites no path: call it on the field, `self.field.{name}(..)`"
            );
            self.error(&*path, &message);
        }
    }
}
