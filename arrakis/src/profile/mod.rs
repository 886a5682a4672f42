//! Where the time and memory of a call went.
//!
//! [`measure`] observes every hooked module that runs on this thread: the time of each scope, with and
//! without its inner scopes, and the bytes of the tensor at each site. On a GPU the time of a scope is
//! the time to submit its work to the device; the wall time waits for the device to finish.

mod costs;
mod memory;
mod spans;
mod threads;
mod trace;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use arrakis_models::hooks::{Observer, observe};

pub use costs::{Profile, ScopeCost, Share, SiteCost, Span};
pub(crate) use memory::peak_rss_bytes;
use spans::Recorder;
pub(crate) use threads::Threads;

/// The cost of a call, measured in one step or in several, with what other threads record for it.
pub(crate) struct Measuring {
    threads: Threads,
    recorder: Recorder,
    wall: Duration,
}

impl Measuring {
    pub(crate) fn new() -> Self {
        let threads = Threads::new();
        Self { recorder: Recorder::new(threads.origin), threads, wall: Duration::ZERO }
    }

    /// Where other threads record for the call.
    pub(crate) fn threads(&self) -> Threads {
        self.threads.clone()
    }

    /// Runs and measures a step; `finish` waits for the device. It stops observing at the end, even after a panic.
    pub(crate) fn step<R>(&mut self, body: impl FnOnce() -> R, finish: impl FnOnce()) -> R {
        let started = Instant::now();
        self.recorder.resume(started);
        let idle = Recorder::new(started);
        let recorder = Rc::new(RefCell::new(std::mem::replace(&mut self.recorder, idle)));
        let observer: Rc<RefCell<dyn Observer>> = recorder.clone();
        let output = observe(observer, || {
            let output = body();
            finish();
            output
        });
        self.recorder = Rc::into_inner(recorder).expect("BUG: nobody observes after the step").into_inner();
        self.wall += started.elapsed();
        output
    }

    pub(crate) fn profile(mut self) -> Profile {
        for (other, thread) in self.threads.take().into_iter().zip(2..) {
            self.recorder.absorb(other, thread);
        }
        self.recorder.profile(self.wall)
    }
}

/// Runs `body` and measures it; `finish` waits for the device. It stops observing at the end, even after a panic.
pub fn measure<R>(body: impl FnOnce() -> R, finish: impl FnOnce()) -> (R, Profile) {
    let mut measuring = Measuring::new();
    let output = measuring.step(body, finish);
    (output, measuring.profile())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_a_model_has_a_wall_time_and_no_scope() {
        let (value, profile) = measure(|| 7, || ());
        assert_eq!(value, 7);
        assert!(profile.wall_secs >= 0.0 && profile.scopes.is_empty() && profile.shares.is_empty());
    }
}
