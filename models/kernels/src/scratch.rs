//! Working memory of a thread.

use std::cell::RefCell;

use crate::place::LINE;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Zeros, and how many to skip so that `length` of them begin a line of the cache.
pub(crate) fn aligned(length: usize) -> (Vec<f32>, usize) {
    let memory = vec![0.0; length + LINE];
    let skip = before_a_line(&memory);
    (memory, skip)
}

fn before_a_line(memory: &[f32]) -> usize {
    memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE)
}

/// Lends the thread's memory, which is kept for the next product. Its contents are left over from the last one.
pub(crate) fn scratch(length: usize, body: impl FnOnce(&mut [f32])) {
    let mut memory = SCRATCH.take();
    if memory.len() < length + LINE {
        memory.resize(length + LINE, 0.0);
    }
    let skip = before_a_line(&memory);
    body(&mut memory[skip..skip + length]);
    SCRATCH.set(memory);
}
