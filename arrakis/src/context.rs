//! The running calls of a thread, outermost first, and the handle that carries them into other threads.
//!
//! An attribute imported under another name cannot be merged with the others when it is expanded. Both then become
//! nested calls of one function, and the inner call joins the frame of the outer one.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::experiment::{Record, Run};

/// One call of one function.
#[derive(Default)]
pub(crate) struct Frame {
    /// The type name of the body: the function's path, and a `{{closure}}` for each attribute around the body.
    body: &'static str,
    /// Which attributes have joined, one bit for each.
    pub(crate) attributes: u8,
    /// The bench it was called with.
    bench: u64,
    /// The record as of the start of the call; written if the call is logged.
    pub(crate) record: Option<Record>,
    pub(crate) logged: bool,
    /// What the call has left so far.
    pub(crate) run: Run,
    /// What failed after the body.
    pub(crate) problems: Vec<String>,
}

type Shared = Arc<Mutex<Frame>>;

thread_local! {
    static FRAMES: RefCell<Vec<Shared>> = const { RefCell::new(Vec::new()) };
}

/// The frame of a call, and whether this call opened it. Closed when dropped.
pub(crate) struct Entered {
    frame: Shared,
    pub(crate) opened: bool,
}

impl Entered {
    /// Joins the innermost frame if it belongs to the same call and has none of these attributes yet.
    ///
    /// `body` is the type name of the body, and `bench` the id of the bench.
    pub(crate) fn new(body: &'static str, attributes: u8, bench: u64) -> Self {
        FRAMES.with_borrow_mut(|frames| {
            if let Some(top) = frames.last().filter(|top| lock(top).joined(body, attributes)) {
                return Self { frame: Arc::clone(top), opened: false };
            }
            let frame = Arc::new(Mutex::new(Frame { body, attributes, bench, ..Frame::default() }));
            frames.push(Arc::clone(&frame));
            Self { frame, opened: true }
        })
    }

    /// The frame.
    pub(crate) fn frame(&self) -> MutexGuard<'_, Frame> {
        lock(&self.frame)
    }
}

impl Frame {
    /// Adds these attributes if the body stands inside this frame's body, with nothing but closures in between.
    fn joined(&mut self, body: &'static str, attributes: u8) -> bool {
        let between = body.strip_prefix(self.body).map(|rest| rest.replace("::{{closure}}", ""));
        let joins =
            body != self.body && between.is_some_and(|rest| rest.is_empty()) && self.attributes & attributes == 0;
        if joins {
            (self.body, self.attributes) = (body, self.attributes | attributes);
        }
        joins
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.opened {
            FRAMES.with_borrow_mut(|frames| frames.retain(|frame| !Arc::ptr_eq(frame, &self.frame)));
        }
    }
}

/// The experiment that runs on this thread, to be carried into other threads: they then have its seed, and what they
/// record names it as a parent.
///
/// ```
/// # use arrakis::prelude::*;
/// #[log_experiment(seed = 7)]
/// fn seeds(bench: &Bench) -> Vec<u64> {
///     let here = bench.handle();
///     std::thread::scope(|scope| {
///         let threads = [0, 1].map(|_| scope.spawn(|| here.within(|| bench.current_seed())));
///         threads.map(|thread| thread.join().expect("no panic")).into()
///     })
/// }
///
/// assert_eq!(seeds(&Bench::embedded()?), [7, 7]);
/// # Ok::<(), arrakis::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    frames: Vec<Shared>,
}

impl Handle {
    /// The experiment that runs on this thread, with those around it.
    pub fn current() -> Self {
        Self { frames: FRAMES.with_borrow(Clone::clone) }
    }

    /// Runs `body` inside the experiment, on any thread.
    pub fn within<R>(&self, body: impl FnOnce() -> R) -> R {
        let before = FRAMES.replace(self.frames.clone());
        let _back = Back(before);
        body()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bodies: Vec<&str> = self.frames.iter().map(|frame| lock(frame).body).collect();
        f.debug_tuple("Handle").field(&bodies).finish()
    }
}

/// Restores a thread's own frames, also after a panic.
struct Back(Vec<Shared>);

impl Drop for Back {
    fn drop(&mut self) {
        FRAMES.set(std::mem::take(&mut self.0));
    }
}

fn lock(frame: &Shared) -> MutexGuard<'_, Frame> {
    frame.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ids of the records of the logged calls around the innermost one, outermost first.
pub(crate) fn parents() -> Vec<String> {
    around(|frame| frame.record.as_ref().filter(|_| frame.logged).map(|record| record.id.clone()))
}

/// Bench and seed of the call around the innermost one.
pub(crate) fn seed_around() -> Option<(u64, u64)> {
    around(Frame::seed).pop()
}

/// Bench and seed of the innermost call.
pub(crate) fn seed_here() -> Option<(u64, u64)> {
    FRAMES.with_borrow(|frames| frames.last().and_then(|frame| lock(frame).seed()))
}

impl Frame {
    fn seed(&self) -> Option<(u64, u64)> {
        self.record.as_ref().map(|record| (self.bench, record.seed))
    }
}

/// What `of` finds in the frames around the innermost one, outermost first.
fn around<T>(of: impl Fn(&Frame) -> Option<T>) -> Vec<T> {
    FRAMES.with_borrow(|frames| {
        let around = &frames[..frames.len().saturating_sub(1)];
        around.iter().filter_map(|frame| of(&lock(frame))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_attribute_of_the_same_call_joins_and_a_call_of_the_same_function_does_not() {
        let outer = Entered::new("m::f<u8>::{{closure}}", 1, 0);
        let inner = Entered::new("m::f<u8>::{{closure}}::{{closure}}", 2, 0);
        let recursion = Entered::new("m::f<u8>::{{closure}}", 4, 0);
        let generic = Entered::new("m::f<u16>::{{closure}}::{{closure}}", 2, 0);
        let nested = Entered::new("m::f<u16>::{{closure}}::{{closure}}::f::{{closure}}", 4, 0);
        let opened = [&outer, &inner, &recursion, &generic, &nested].map(|entered| entered.opened);
        assert_eq!(opened, [true, false, true, true, true]);
        assert!(Arc::ptr_eq(&outer.frame, &inner.frame));
        drop((nested, generic, recursion, inner, outer));
        assert!(FRAMES.with_borrow(Vec::is_empty));
    }

    #[test]
    fn a_handle_carries_the_frames_into_a_thread_and_leaves_its_own() {
        let call = Entered::new("m::f::{{closure}}", 1, 3);
        call.frame().record = Some(Record { seed: 7, ..Record::default() });
        let here = Handle::current();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = Entered::new("m::g::{{closure}}", 1, 0);
                assert_eq!(here.within(seed_here), Some((3, 7)));
                assert_eq!(seed_here(), None);
                drop(own);
            });
        });
        assert_eq!(format!("{here:?}"), "Handle([\"m::f::{{closure}}\"])");
    }
}
