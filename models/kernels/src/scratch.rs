//! Working memory of a thread.

use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Numbers in a line of the cache.
const LINE: usize = 16;

/// Lends the thread's memory, which is kept for the next product. Its contents are left over from the last one.
pub(crate) fn scratch(length: usize, body: impl FnOnce(&mut [f32])) {
    let mut memory = SCRATCH.take();
    if memory.len() < length + LINE {
        memory.resize(length + LINE, 0.0);
    }
    let skip = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
    body(&mut memory[skip..skip + length]);
    SCRATCH.set(memory);
}
