//! The profiles of other threads inside a call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrakis_models::hooks::{Observer, observe};

use super::spans::Recorder;

/// What other threads have recorded for a call so far.
#[derive(Clone)]
pub(crate) struct Threads {
    pub(super) origin: Instant,
    done: Arc<Mutex<Vec<Recorder>>>,
}

impl Threads {
    /// No thread, for a call that begins here.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), done: Arc::default() }
    }

    /// Runs `body` and records it for the call, also if it panics.
    pub(crate) fn observe<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Keep<'a>(&'a Threads, Rc<RefCell<Recorder>>);
        impl Drop for Keep<'_> {
            fn drop(&mut self) {
                let recorder = self.1.replace(Recorder::new(self.0.origin));
                self.0.lock().push(recorder);
            }
        }
        let recorder = Rc::new(RefCell::new(Recorder::new(self.origin)));
        let observer: Rc<RefCell<dyn Observer>> = recorder.clone();
        let _keep = Keep(self, recorder);
        observe(observer, body)
    }

    /// Takes what has been recorded.
    pub(super) fn take(&self) -> Vec<Recorder> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorder>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
