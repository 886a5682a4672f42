//! One run: described, executed, watched, and what came of it.

pub(super) mod observe;
pub(super) mod outcome;
pub(super) mod plan;
pub(super) mod session;
pub(super) mod slot;
pub(super) mod warnings;
