//! The running calls: those of a thread, those of a bench, and the handle that carries them into other threads.

mod beside;
mod frames;
mod handle;
mod helpers;
mod read_file;
mod reads;
mod seen;
mod stacks;

pub(crate) use beside::{Calls, Running};
pub(crate) use frames::{Entered, Step, add_metric, note_search, parents, seed_here};
pub use handle::Handle;
pub(crate) use helpers::{is_inside_another, lacks, tell, tell_around, tell_here};
pub(crate) use reads::watch as watch_reads;
pub(crate) use stacks::{Listed, list};
