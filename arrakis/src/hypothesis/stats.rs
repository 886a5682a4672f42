//! The statistics as plain functions over slices, without a claim.
//!
//! Every function checks its input, so no result contains a NaN and no sample makes it panic:
//!
//! - [`Error::Statistics`](crate::Error::Statistics) is a sample that the test cannot use (too few values, values that
//!   are not finite);
//! - [`Error::Degenerate`](crate::Error::Degenerate) is a sample without the spread that the test divides by;
//! - a sample without any effect, such as differences that are all zero, is a result: `p_value` 1 and a note.

pub use super::corrections::{Correction, benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use super::effects::{cliffs_delta, cohen_d, cohen_dz, cohen_h, hedges_g, pearson, rank_biserial, spearman};
pub use super::ground::guard::{mean, paired_differences, standard_deviation};
pub use super::ground::resample::{Bootstrap, IntervalMethod, bootstrap, bootstrap_difference, cluster_bootstrap};
pub use super::ground::{Alternative, Interval, TestResult};
pub use super::plan::{looks, power_of_t, sample_size_for_t, smallest_effect_for_t};
pub use super::tests::functions::*;
