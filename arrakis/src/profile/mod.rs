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
use std::time::Instant;

use arrakis_models::hooks::{Observer, observe};

pub use costs::{Profile, ScopeCost, Share, SiteCost, Span};
pub(crate) use memory::peak_rss_bytes;
use spans::Recorder;
pub(crate) use threads::Threads;

/// Runs `body` and measures it; `finish` waits for the device. It stops observing at the end, even after a panic.
pub fn measure<R>(body: impl FnOnce() -> R, finish: impl FnOnce()) -> (R, Profile) {
    measure_with(&Threads::new(), body, finish)
}

/// As [`measure`], with what other threads record for the call.
pub(crate) fn measure_with<R>(threads: &Threads, body: impl FnOnce() -> R, finish: impl FnOnce()) -> (R, Profile) {
    let recorder = Rc::new(RefCell::new(Recorder::new(threads.origin)));
    let observer: Rc<RefCell<dyn Observer>> = recorder.clone();
    let started = Instant::now();
    let output = observe(observer, || {
        let output = body();
        finish();
        output
    });
    let wall = started.elapsed();
    let mut recorder = recorder.borrow_mut();
    for (other, thread) in threads.take().into_iter().zip(2..) {
        recorder.absorb(other, thread);
    }
    let profile = recorder.profile(wall);
    (output, profile)
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
