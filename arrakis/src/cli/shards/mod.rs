//! `arrakis run` and `arrakis merge`: a program cut into shards for a job array, and put together again.

pub(super) mod merge;
pub(super) mod run;

mod around;
mod job;
mod seen;

#[cfg(test)]
mod testing;

use super::Answer;
