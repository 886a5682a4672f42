//! What is done with a store later: tags and notes, and a check of its files.

mod annotations;
mod check;

pub use annotations::{Annotation, Annotations};
pub use check::Check;
