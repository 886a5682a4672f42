//! The threads that compute.

use std::num::NonZero;
use std::sync::Once;
use std::thread;

use rayon::ThreadPoolBuilder;

/// Adds the main thread to Rayon's global pool, if it calls this first and nothing has started the pool.
///
/// By itself the pool has a thread for each core, and the thread that asks for work is one more. The scheduler then puts two
/// of them on one core for milliseconds, while another core has nothing to do.
///
/// Other threads are left alone: one that ends would be missing in the pool. So is a pool whose size is set by
/// `RAYON_NUM_THREADS`, and one of a single core, where other threads would wait for the main thread.
pub fn add_main_thread() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        if joins(thread::current().name(), cores, std::env::var_os("RAYON_NUM_THREADS").is_some()) {
            // A pool that the program has made before is the program's own affair.
            drop(ThreadPoolBuilder::new().num_threads(cores).use_current_thread().build_global());
        }
    });
}

fn joins(thread: Option<&str>, cores: usize, size_is_set: bool) -> bool {
    thread == Some("main") && cores > 1 && !size_is_set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_thread_of_several_cores_joins() {
        assert!(joins(Some("main"), 2, false));
        assert!(!joins(Some("main"), 1, false), "others would wait for it");
        assert!(!joins(Some("main"), 2, true), "the size is the user's");
        assert!(!joins(Some("tests::one"), 2, false) && !joins(None, 2, false), "it may end");
    }
}
