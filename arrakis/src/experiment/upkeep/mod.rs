//! What is done with a store later: tags and notes, and a check of its files.

pub(super) mod annotations;
mod check;
mod garbage;
mod import;

pub use annotations::{Annotation, Annotations};
pub use check::Check;
pub use garbage::Garbage;
pub use import::Import;
