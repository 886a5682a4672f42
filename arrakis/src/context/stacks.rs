//! The logged calls that are running in the program, each with the calls around it.
//!
//! The threads of rayon have no calls of their own. What runs there belongs to the only experiment of the program, if there
//! is only one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frames::{Shared, here};

static RUNNING: Mutex<Vec<Arc<[Shared]>>> = Mutex::new(Vec::new());

/// Changes with the list. Zero while it is empty.
static NOW: AtomicU64 = AtomicU64::new(0);

/// A call on the list, until dropped.
pub(crate) struct Listed(Arc<[Shared]>);

/// Lists the innermost call of this thread.
pub(crate) fn list() -> Listed {
    let stack: Arc<[Shared]> = here().into();
    let mut running = running();
    running.push(Arc::clone(&stack));
    count(&running);
    Listed(stack)
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut running = running();
        running.retain(|stack| !Arc::ptr_eq(stack, &self.0));
        count(&running);
    }
}

/// A number for the list as it is; `None` while it is empty.
pub(super) fn now() -> Option<u64> {
    Some(NOW.load(Ordering::Relaxed)).filter(|now| *now > 0)
}

/// The innermost running call with those around it, if all others are around it. Otherwise the calls of which none is
/// meant.
pub(super) fn only() -> Result<Vec<Shared>, Vec<Shared>> {
    let running = running();
    let deepest = running.iter().max_by_key(|stack| stack.len()).map(|stack| stack.to_vec()).unwrap_or_default();
    let is_around = |stack: &Arc<[Shared]>| stack.iter().zip(&deepest).all(|(a, b)| Arc::ptr_eq(a, b));
    if running.iter().all(is_around) {
        return Ok(deepest);
    }
    Err(running.iter().filter_map(|stack| stack.last().cloned()).collect())
}

fn running() -> MutexGuard<'static, Vec<Arc<[Shared]>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(running: &[Arc<[Shared]>]) {
    static CHANGES: AtomicU64 = AtomicU64::new(0);
    let changes = CHANGES.fetch_add(1, Ordering::Relaxed) + 1;
    NOW.store(if running.is_empty() { 0 } else { changes }, Ordering::Relaxed);
}
