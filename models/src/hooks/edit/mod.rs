//! Changes of tensors and of gradients, and how much they changed.

pub(super) mod backward;
pub(super) mod closure;
#[allow(clippy::module_inception, reason = "the room's main file carries its name")]
pub(super) mod edit;
pub(super) mod effect;
pub(super) mod gradient;
