//! Fused kernels for the CPU, with their gradients: one operation a file.
//!
//! Burn's CPU operations are serial and scalar where they call `exp` or `tanh`, and each writes its own tensor. A kernel
//! here makes one pass in vectors (AVX-512, AVX2 or NEON, chosen at run time) on all cores, and overwrites its input if
//! nobody else holds it. On other devices, on CPUs without such vectors and in double precision, Burn's own operations
//! run.
//!
//! A number never depends on how the work was cut: functions of one number know no neighbours, and sums over a row have
//! one order (`lanes/sums.rs`). So threads, batches and captures change no bit.

#![allow(
    clippy::inline_always,
    reason = "instructions of a vector are calls outside of the function compiled for them"
)]
#![allow(clippy::result_large_err, reason = "a tensor that has no kernel comes back by value, as it came")]

mod activation;
mod adam;
mod append;
mod attention;
mod by_row;
mod flex;
mod lanes;
mod latents;
mod log_softmax;
mod memory;
mod norm;
mod product;
mod rotation;
mod scores;
mod seen;
mod softmax;
#[cfg(test)]
mod testing;

pub(crate) use activation::{activation, gate};
pub(crate) use adam::adam_step;
pub(crate) use append::append;
pub(crate) use attention::{attention, mixed, per_query_head, products};
pub(crate) use latents::{Active, Slopes, active, any_of_columns, decode, encode, jump, least_positive};
pub use log_softmax::log_softmax;
pub(crate) use norm::{Norming, centre, norm, norm_scale};
pub(crate) use product::{product, products as products_of};
pub(crate) use rotation::{Rotating, rotate};
pub(crate) use scores::{Scoring, pattern, scores};
pub(crate) use softmax::softmax;
