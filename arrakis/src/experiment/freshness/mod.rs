//! Whether the code of a record is still the code of the sources, and its model and data are still those of the files, found without
//! running or building anything.

mod cause;
mod files;
mod sources;

pub use cause::{Assessment, Cause, Freshness};
pub use sources::Sources;
pub(super) use sources::code_of;
