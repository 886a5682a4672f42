//! The path of the module that is executing on this thread.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use super::active::is_active;
use super::observe;

thread_local! {
    static PATH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Leaves the scope when dropped, also on a panic.
#[derive(Debug)]
pub struct Scope(Outer);

/// What the path was before.
#[derive(Debug)]
enum Outer {
    /// No run is active.
    Idle,
    /// This much of the path.
    Length(usize),
    /// Another path.
    Path(String),
}

impl Drop for Scope {
    fn drop(&mut self) {
        if matches!(self.0, Outer::Idle) {
            return;
        }
        tell(observe::left);
        PATH.with_borrow_mut(|path| match &mut self.0 {
            Outer::Idle => {}
            Outer::Length(length) => path.truncate(*length),
            Outer::Path(outer) => *path = std::mem::take(outer),
        });
    }
}

/// Enters one segment of the path. Costs one thread-local read when no run is active.
pub fn enter(segment: fmt::Arguments<'_>) -> Scope {
    if !is_active() {
        return Scope(Outer::Idle);
    }
    let length = PATH.with_borrow_mut(|path| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        write!(path, "{segment}").expect("BUG: writing to a string");
        length
    });
    tell(observe::entered);
    Scope(Outer::Length(length))
}

/// Enters a whole path, whichever module is executing.
pub(super) fn enter_absolute(path: String) -> Scope {
    let outer = PATH.replace(path);
    tell(observe::entered);
    Scope(Outer::Path(outer))
}

/// The path of the module that is executing.
pub(super) fn current_path() -> String {
    PATH.with_borrow(Clone::clone)
}

/// The path is not borrowed while an observer is notified, because the observer may run a model itself.
fn tell(observers: fn(&str)) {
    if observe::is_observed() {
        observers(&PATH.with_borrow(Clone::clone));
    }
}

/// The name of a site of the current scope in the whole model.
pub(super) fn full_name(name: &str) -> String {
    PATH.with_borrow(|path| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") })
}

/// Reads the name of a site of the current scope in the whole model, without a string of its own. The path is borrowed: `read`
/// enters no scope.
pub(super) fn with_full_name<R>(name: &str, read: impl FnOnce(&str) -> R) -> R {
    PATH.with_borrow_mut(|path| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        let found = read(path);
        path.truncate(length);
        found
    })
}

/// Starts an empty path until it is dropped: a run within a run names its own sites.
pub(super) struct Root {
    outer: String,
}

impl Root {
    pub(super) fn new() -> Self {
        Self { outer: PATH.take() }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        PATH.set(std::mem::take(&mut self.outer));
    }
}
