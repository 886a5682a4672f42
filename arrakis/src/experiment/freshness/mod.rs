//! Whether the code of a record is still the code of the sources, found without running or building anything.

mod cause;
mod sources;

pub use cause::{Assessment, Cause, Freshness};
pub use sources::Sources;
