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

pub(super) fn is_active() -> bool {
    LISTENING.get() > 0
}
