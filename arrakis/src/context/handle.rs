//! The handle that carries the running calls into other threads.

use std::fmt;
use std::sync::Arc;

use arrakis_models::ground::warnings::warn;

use super::frames::{Shared, here, lock, replace};

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
        Self { frames: here() }
    }

    /// Runs `body` inside the experiment, on any thread. What runs in hooked modules counts in its profile.
    ///
    /// The experiment should not end before: what `body` does after that is in no record, which is reported on stderr.
    pub fn within<R>(&self, body: impl FnOnce() -> R) -> R {
        let before = replace(self.frames.clone());
        let is_new = |frame: &&Shared| !before.iter().any(|known| Arc::ptr_eq(known, frame));
        let entered = self.frames.iter().filter(is_new).map(Inside::enter).collect::<Vec<_>>();
        let threads: Vec<_> = entered.iter().filter_map(|inside| lock(&inside.0).threads.clone()).collect();
        let _left = (Back(before), entered);
        match threads.split_first() {
            None => body(),
            Some((first, others)) => {
                others.iter().fold(Box::new(|| first.observe(body)) as Box<dyn FnOnce() -> R + '_>, |body, threads| {
                    Box::new(move || threads.observe(body))
                })()
            }
        }
    }
}

/// A call that this thread is inside of, until dropped.
struct Inside(Shared);

impl Inside {
    fn enter(frame: &Shared) -> Self {
        let mut locked = lock(frame);
        if locked.ended {
            warn(format_args!(
                "a thread is inside `{}` after its end: what it does is in no record; join the thread in the function",
                locked.function()
            ));
        }
        locked.inside.push(std::thread::current().id());
        Self(Arc::clone(frame))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let (mut frame, this) = (lock(&self.0), std::thread::current().id());
        if let Some(at) = frame.inside.iter().rposition(|thread| *thread == this) {
            frame.inside.swap_remove(at);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<&str> = self.frames.iter().map(|frame| lock(frame).function()).collect();
        f.debug_tuple("Handle").field(&functions).finish()
    }
}

/// Restores a thread's own frames, also after a panic.
struct Back(Vec<Shared>);

impl Drop for Back {
    fn drop(&mut self) {
        replace(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Barrier;

    use super::super::frames::{Entered, seed_here};
    use super::*;
    use crate::experiment::Record;

    #[test]
    fn a_handle_carries_the_frames_into_a_thread_and_leaves_its_own() {
        let call = Entered::new("m::f::{{closure}}", 1, 3);
        call.frame().begin(Record { seed: 7, ..Record::default() }, Path::new(""));
        let handle = Handle::current();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = Entered::new("m::g::{{closure}}", 1, 0);
                assert_eq!(handle.within(seed_here), Some((3, 7)));
                assert_eq!(seed_here(), None);
                drop(own);
            });
        });
        assert_eq!(call.frame().end().unwrap().problems, [] as [String; 0]);
        assert_eq!(format!("{handle:?}"), "Handle([\"m::f\"])");
    }

    #[test]
    fn a_thread_that_is_still_inside_at_the_end_is_reported() {
        let call = Entered::new("m::f::{{closure}}", 1, 3);
        call.frame().begin(Record::default(), Path::new(""));
        let handle = Handle::current();
        let (is_inside, may_leave) = (Barrier::new(2), Barrier::new(2));
        let record = std::thread::scope(|scope| {
            scope.spawn(|| {
                handle.within(|| {
                    is_inside.wait();
                    may_leave.wait();
                });
            });
            is_inside.wait();
            let record = call.frame().end();
            may_leave.wait();
            record
        });
        assert_eq!(
            record.unwrap().problems,
            ["a thread inside the call went on after its end: what it did since is not covered"]
        );
    }
}
