//! The running calls: those of a thread, those of a bench, and the handle that carries them into other threads.

mod beside;
mod frames;
mod handle;

pub(crate) use beside::{Calls, Running};
pub(crate) use frames::{Entered, Step, note_search, parents, seed_here};
pub use handle::Handle;
