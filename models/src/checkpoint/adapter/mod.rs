//! Adapters of PEFT (Hu et al., 2021, LoRA; Liu et al., 2024, DoRA), merged into the weights while they are read.

#[allow(clippy::module_inception, reason = "the adapter is what the folder is about")]
mod adapter;
mod change;
mod settings;

pub use adapter::Adapter;
pub(super) use adapter::{Part, Target};
pub(super) use change::{Change, LowRank};
pub(super) use settings::lies_in;
