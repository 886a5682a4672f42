//! What tools share.

pub(super) mod common;
pub(super) mod factored_matrix;
pub(super) mod metric;
pub(super) mod position;
pub(super) mod prompt_pairs;
pub(super) mod score_table;
pub(super) mod stream;
#[cfg(test)]
pub(crate) mod testing;
