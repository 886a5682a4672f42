//! Finding records: by what they hold, or by their id.

mod asked;
mod condition;
mod find;
mod names;
mod search;
mod versions;

pub use asked::{Found, Query, Status};
pub use condition::Condition;
pub use names::Names;
