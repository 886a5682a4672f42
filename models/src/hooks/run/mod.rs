//! One run: its description, execution, observers and outcome.

pub(super) mod active;
pub(super) mod call;
pub(super) mod current;
pub(super) mod items;
pub(super) mod key;
pub(super) mod observe;
pub(super) mod outcome;
#[cfg(test)]
mod own_names;
mod part;
pub(super) mod passes;
pub(super) mod path;
pub(super) mod plan;
pub(super) mod refuse;
mod session;
pub(super) mod slot;
pub(super) mod splice;
pub(super) mod splices;
pub(super) mod warnings;
