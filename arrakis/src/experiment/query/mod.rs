//! Finding records: by what they hold, or by their id.

mod condition;
mod find;
mod names;
mod query;

pub use condition::Condition;
pub use names::Names;
pub use query::{Found, Query, Status};
