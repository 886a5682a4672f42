//! Shared by the examples: prompts, numbers recorded with other programs, and published results.

mod golden;
mod indirect_objects;
mod recorded;

pub use golden::{Expect, Golden};
pub use indirect_objects::indirect_objects;
pub use recorded::Recorded;
