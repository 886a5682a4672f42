//! One call of a hooked method: the path of its module, for closures that run elsewhere, and the sites it has bound.

use std::cell::Cell;
use std::fmt;

use super::active::is_active;
use super::key;
use super::path::{Scope, current_path, enter, enter_absolute};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// A call of a hooked method. `Copy`, so that closures borrow nothing.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number on this thread; 0 without a run.
    pub(super) number: u64,
    path: Option<usize>,
}

/// Notes the path of the module whose method begins. Costs one thread-local read when no run is active.
#[doc(hidden)]
pub fn call() -> Call {
    if !is_active() {
        return Call { number: 0, path: None };
    }
    CALLS.set(CALLS.get() + 1);
    Call { number: CALLS.get(), path: Some(key::number(&current_path())) }
}

/// Enters a part of the module of `call`, wherever the closure that does so runs.
#[doc(hidden)]
pub fn enter_in(call: Call, segment: fmt::Arguments<'_>) -> Scope {
    match call.path.filter(|_| is_active()).and_then(key::text) {
        None => enter(segment),
        Some(path) if path.is_empty() => enter_absolute(segment.to_string()),
        Some(path) => enter_absolute(format!("{path}.{segment}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::active::Active;
    use super::*;

    #[test]
    fn a_closure_enters_the_path_of_the_call_it_was_made_in() {
        let _listening = Active::start();
        let paths = {
            let made_in = {
                let _a = enter(format_args!("a"));
                call()
            };
            let _b = enter(format_args!("b"));
            let inside = {
                let _c = enter_in(made_in, format_args!("c.{}", 1));
                current_path()
            };
            (inside, current_path(), call().number - made_in.number)
        };
        assert_eq!(paths, ("a.c.1".into(), "b".into(), 1));
    }

    #[test]
    fn without_a_run_nothing_is_entered() {
        let call = call();
        assert_eq!(call.number, 0);
        let _scope = enter_in(call, format_args!("c"));
        assert_eq!(current_path(), "");
    }
}
