//! The calls of a bench on all threads, and what is seen during a call that is not a part of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::frames::{Entered, Shared, here, lock};

/// The outermost calls of a bench that are running, on all threads.
#[derive(Default)]
pub(crate) struct Calls {
    running: Mutex<Vec<Shared>>,
    /// Their number, to be read without a lock.
    count: AtomicUsize,
}

/// One of the running calls, until dropped.
pub(crate) struct Running {
    calls: Arc<Calls>,
    frame: Shared,
}

impl Calls {
    /// Adds an outermost call. Running calls of other functions on other threads note that it is no part of them.
    pub(crate) fn begin(self: &Arc<Self>, entered: &Entered) -> Option<Running> {
        if !entered.opened || !entered.is_outermost() {
            return None;
        }
        let function = entered.frame().function();
        let others = |frame: &Shared| lock(frame).function() != function;
        let what = format!("`{function}` ran on another thread during the call");
        self.note(&what, others);
        let frame = entered.shared();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.push(Arc::clone(&frame));
        self.count.store(running.len(), Ordering::Relaxed);
        drop(running);
        Some(Running { calls: Arc::clone(self), frame })
    }

    /// Notes that the bench is used on this thread, in running calls that it is not a part of.
    pub(crate) fn used(&self) {
        if self.count.load(Ordering::Relaxed) > 0 && here().is_empty() {
            self.note("another thread used the bench during the call", |_| true);
        }
    }

    fn note(&self, what: &str, which: impl Fn(&Shared) -> bool) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for frame in running.iter().filter(|frame| which(frame)) {
            let why =
                "it is not a part of this record; if it belongs to the call, run it in `bench.handle().within(..)`";
            lock(frame).beside.insert(format!("{what}: {why}"));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.calls.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|frame| !Arc::ptr_eq(frame, &self.frame));
        self.calls.count.store(running.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Handle;
    use super::*;
    use crate::experiment::Record;
    use std::path::Path;

    /// The problems of a call `m::f` while another thread does this.
    fn problems(other: impl FnOnce(&Arc<Calls>, &Handle) + Send) -> Vec<String> {
        let calls = Arc::new(Calls::default());
        let call = Entered::new("m::f::{{closure}}", 1, 0);
        call.frame().begin(Record::default(), Path::new(""));
        let _running = calls.begin(&call);
        let handle = Handle::current();
        std::thread::scope(|scope| drop(scope.spawn(|| other(&calls, &handle)).join()));
        call.frame().end().unwrap().problems
    }

    fn run(calls: &Arc<Calls>, body: &'static str) {
        let call = Entered::new(body, 1, 0);
        let _running = calls.begin(&call);
    }

    #[test]
    fn what_other_threads_do_without_a_handle_is_noted_once() {
        let note = "it is not a part of this record; if it belongs to the call, run it in `bench.handle().within(..)`";
        let used = |calls: &Arc<Calls>, _: &Handle| (0..3).for_each(|_| calls.used());
        assert_eq!(problems(used), [format!("another thread used the bench during the call: {note}")]);
        let ran = problems(|calls, _| run(calls, "m::g::{{closure}}"));
        assert_eq!(ran, [format!("`m::g` ran on another thread during the call: {note}")]);
    }

    #[test]
    fn a_part_of_the_call_and_another_call_of_its_function_are_not_noted() {
        let inside = |calls: &Arc<Calls>, handle: &Handle| {
            handle.within(|| {
                calls.used();
                run(calls, "m::g::{{closure}}");
            });
        };
        assert_eq!(problems(inside), [] as [String; 0]);
        assert_eq!(problems(|calls, _| run(calls, "m::f::{{closure}}")), [] as [String; 0]);
    }
}
