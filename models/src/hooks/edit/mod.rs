//! Changes of tensors and gradients, and how much each changed.

pub(super) mod backward;
pub(super) mod closure;
#[allow(clippy::module_inception, reason = "the module's main file carries its name")]
pub(super) mod edit;
pub(super) mod effect;
pub(super) mod gradient;
