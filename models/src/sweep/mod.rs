//! Many edits under one metric: batched, and resumed from the first place each one changes.
//!
//! One clean forward keeps the residual stream entering every block and each layer's keys and
//! values. An edit is first applied to the clean tensor at its site: the positions it changes say
//! where its forward must start. Everything before that layer and that position is reused, edits
//! that start together run as one batch, and an edit that changes nothing costs nothing. An edit is therefore applied
//! more than once, and must give the same each time. In an encoder, where positions see those after them, a forward starts
//! at a layer but not at a position.

mod batch;
mod case;
mod clean;
mod result;
mod shard;
#[allow(clippy::module_inception, reason = "the folder's main file carries its name")]
mod sweep;

pub use case::SweepCase;
pub use result::{SweepResult, SweepWork};
pub use shard::{Shard, ShardResult};
pub use sweep::Sweep;
