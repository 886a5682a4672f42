//! Shared by the examples: prompts, checkpoints, numbers recorded with other programs, published results, and what heads
//! move.

mod checkpoint;
mod golden;
mod indirect_objects;
mod moved;
mod recorded;

pub use checkpoint::{Checkpoint, run_folder, training};
pub use golden::{Expect, Golden};
pub use indirect_objects::indirect_objects;
pub use moved::moved;
pub use recorded::Recorded;
