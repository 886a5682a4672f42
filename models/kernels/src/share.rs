//! Work for all cores.

use std::sync::{Mutex, PoisonError};

use crate::threads::add_main_thread;

/// Does each task once, in any order, on this thread and on others of Rayon's pool.
///
/// A thread that is not of the pool works too, instead of waiting for two others to be woken: most products of a forward of
/// one token take less time than that. The main thread is of the pool, as [`add_main_thread`] says.
pub fn share<T: Send>(tasks: Vec<T>, work: impl Fn(T) + Sync) {
    add_main_thread();
    let threads = rayon::current_num_threads().min(tasks.len());
    let tasks = Mutex::new(tasks.into_iter());
    let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let own = || {
        while let Some(task) = next() {
            work(task);
        }
    };
    if threads < 2 {
        return own();
    }
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| own());
        }
        own();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_task_is_done_once_from_outside_and_inside_of_the_pool() {
        for count in [0, 1, 2, 1000] {
            for in_pool in [false, true] {
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                let all = || {
                    share(done.iter().collect(), |done| {
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                };
                if in_pool {
                    rayon::join(all, || ());
                } else {
                    all();
                }
                assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1), "{count} {in_pool}");
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let all = || share((0..50).collect(), |task: usize| assert!(task != 7, "the seventh"));
        assert!(std::panic::catch_unwind(all).is_err());
    }
}
