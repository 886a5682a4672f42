//! What a run keeps: captures, reductions computed during the run, and the cache with its keys and its file format.

pub(super) mod cache;
mod cache_file;
pub(super) mod cache_key;
#[allow(clippy::module_inception, reason = "the module's main file carries its name")]
pub(super) mod capture;
pub(super) mod reduction;
