//! Named edits that a record can keep: an action, and the part of the tensor it is done to.

mod fitting;
#[allow(clippy::module_inception, reason = "the room's main file carries its name")]
pub(super) mod intervention;
mod knock_out;
mod resample;
pub(super) mod selection;
