//! One run: its description, execution, observers and outcome.

mod active;
pub(super) mod current;
pub(super) mod observe;
pub(super) mod outcome;
mod part;
pub(super) mod path;
pub(super) mod plan;
mod session;
pub(super) mod slot;
pub(super) mod splice;
pub(super) mod splices;
pub(super) mod warnings;
