//! Shared by the examples: prompts, checkpoints, numbers recorded with other programs, and published results.

mod checkpoint;
mod golden;
mod indirect_objects;
mod recorded;

pub use checkpoint::{Checkpoint, run_folder, training};
pub use golden::{Expect, Golden};
pub use indirect_objects::indirect_objects;
pub use recorded::Recorded;
