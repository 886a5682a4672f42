//! Watching a run from outside: which scopes are entered and left, and which tensors pass.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::active::Active;

/// Notified of what happens in hooked modules on this thread, whichever runs are active.
pub trait Observer {
    /// A run begins. The time before it belongs to no site.
    fn began(&mut self) {}
    /// A scope such as `blocks.3.attn` begins.
    fn entered(&mut self, path: &str);
    /// The scope ends.
    fn left(&mut self, path: &str);
    /// A tensor passes a site; `bytes` is its size.
    fn passed(&mut self, site: &str, dims: &[usize], bytes: usize);
}

thread_local! {
    static OBSERVERS: RefCell<Vec<Rc<RefCell<dyn Observer>>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` with the observer listening. Nothing outlives the call, even if `body` panics.
pub fn observe<R>(observer: Rc<RefCell<dyn Observer>>, body: impl FnOnce() -> R) -> R {
    struct Pop;
    impl Drop for Pop {
        fn drop(&mut self) {
            OBSERVERS.with_borrow_mut(Vec::pop);
        }
    }
    let _active = Active::start();
    OBSERVERS.with_borrow_mut(|observers| observers.push(observer));
    let _pop = Pop;
    body()
}

pub(super) fn is_observed() -> bool {
    OBSERVERS.with_borrow(|observers| !observers.is_empty())
}

fn each(tell: impl Fn(&mut dyn Observer)) {
    let observers = OBSERVERS.with_borrow(Clone::clone);
    for observer in observers {
        tell(&mut *observer.borrow_mut());
    }
}

pub(super) fn began() {
    each(|observer| observer.began());
}

pub(super) fn entered(path: &str) {
    each(|observer| observer.entered(path));
}

pub(super) fn left(path: &str) {
    each(|observer| observer.left(path));
}

pub(super) fn passed<const D: usize>(site: &str, tensor: &Tensor<D>) {
    each(|observer| {
        let dims = tensor.dims();
        observer.passed(site, &dims, dims.iter().product::<usize>() * tensor.dtype().size());
    });
}
