//! Whether anything listens on this thread. A site checks only this when nothing does.

use std::cell::Cell;

thread_local! {
    /// Number of active runs and observers.
    static LISTENING: Cell<usize> = const { Cell::new(0) };
}

/// Marks the thread active until it is dropped.
pub(super) struct Active(());

impl Active {
    pub(super) fn start() -> Self {
        LISTENING.set(LISTENING.get() + 1);
        Self(())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        LISTENING.set(LISTENING.get() - 1);
    }
}

/// Marks the thread idle until it is dropped: sites of a run that wants nothing cost nothing, within another run too.
pub(super) struct Idle {
    outer: usize,
}

impl Idle {
    pub(super) fn start() -> Self {
        Self { outer: LISTENING.replace(0) }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        LISTENING.set(self.outer);
    }
}

/// Whether a site of this thread has anything to do. One thread-local read.
#[doc(hidden)]
pub fn is_active() -> bool {
    LISTENING.get() > 0
}
