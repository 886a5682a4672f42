//! Which helpers a thread has already told its running calls about.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

thread_local! {
    /// Whether a call is running on this thread.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Seen> = const { RefCell::new(Seen { of: 0, helpers: BTreeSet::new() }) };
}

/// Helpers by their addresses.
struct Seen {
    /// Which calls were running.
    of: u64,
    helpers: BTreeSet<usize>,
}

/// The running calls of this thread are others.
pub(super) fn changed(open: bool) {
    OPEN.set(open);
    SEEN.with_borrow_mut(|seen| seen.helpers.clear());
}

/// Whether a call is running on this thread.
pub(super) fn is_open() -> bool {
    OPEN.get()
}

/// Whether the calls that are running, known by a number, have not been told about a helper. They are told next.
pub(super) fn is_new(helper: usize, of: u64) -> bool {
    SEEN.with_borrow_mut(|seen| {
        if seen.of != of {
            *seen = Seen { of, helpers: BTreeSet::new() };
        }
        seen.helpers.insert(helper)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_new_once_for_the_same_calls() {
        changed(true);
        assert!(is_open() && is_new(1, 0) && !is_new(1, 0) && is_new(2, 0));
        assert!(is_new(1, 7) && !is_new(1, 7), "other calls of other threads");
        changed(false);
        assert!(!is_open() && is_new(1, 7));
    }
}
