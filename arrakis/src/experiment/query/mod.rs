//! Finding records: by what they hold, or by their id.

mod asked;
mod condition;
mod find;
mod names;

pub use asked::{Found, Query, Status};
pub use condition::Condition;
pub use names::Names;
