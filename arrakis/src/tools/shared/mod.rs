//! What tools share.

pub(super) mod answer;
pub(super) mod common;
pub(super) mod composition;
#[cfg(test)]
pub(crate) mod cost;
pub(super) mod effective_number;
pub(super) mod factored_matrix;
pub(super) mod finite;
pub(super) mod lbfgs;
pub(super) mod lens;
pub(super) mod metric;
pub(super) mod metric_change;
pub(super) mod patch_pair;
pub mod place;
pub(super) mod position;
pub(super) mod prompt_pairs;
pub(super) mod scan;
pub(super) mod score_table;
pub(super) mod scores;
pub(super) mod stream;
pub(super) mod tested;
#[cfg(test)]
pub(crate) mod testing;
pub(super) mod token_rows;
pub(super) mod vocabulary;
