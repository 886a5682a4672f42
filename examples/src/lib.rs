//! Shared by the examples: prompts, and numbers recorded with other programs.

mod indirect_objects;
mod recorded;

pub use indirect_objects::indirect_objects;
pub use recorded::Recorded;
