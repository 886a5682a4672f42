//! What examples share: prompts, and numbers recorded elsewhere.

mod indirect_objects;
mod recorded;

pub use indirect_objects::indirect_objects;
pub use recorded::Recorded;
