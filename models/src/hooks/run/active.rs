//! Whether anything on this thread listens: all that a site looks at where nothing does.

use std::cell::Cell;

thread_local! {
    /// Runs and observers.
    static LISTENING: Cell<usize> = const { Cell::new(0) };
}

/// Marks the thread active for as long as it lives.
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
