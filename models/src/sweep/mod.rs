//! Many edits under one metric: batched, and resumed from the first place that each edit changes.
//!
//! One clean forward keeps the residual stream entering every block and each layer's keys and values. Then:
//!
//! - each edit is first applied to the clean tensor at its site; the positions it changes say where its forward must
//!   start
//! - everything before that layer and that position is reused
//! - edits run as one batch: those of a later layer join it there, so that later layers have large matrices
//! - positions that are near each other start together where that costs less than a forward more
//! - an edit that changes nothing costs no forward
//!
//! An edit is therefore applied more than once, and must give the same result each time. In an encoder, positions see
//! later positions, so a forward can start at a layer but not at a position.

mod case;
mod clean;
mod cut;
mod dealt;
mod edits;
mod forward;
mod group;
mod grouping;
mod merge;
mod result;
mod shard;
mod share;
mod size;
#[allow(clippy::module_inception, reason = "the module's main file carries its name")]
mod sweep;
#[cfg(test)]
mod testing;

pub use case::SweepCase;
pub use result::{SweepResult, SweepWork};
pub use shard::{Shard, ShardResult};
pub use sweep::Sweep;
