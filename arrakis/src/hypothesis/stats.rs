//! The statistics under a claim, as plain functions over slices.
//!
//! Every function checks its input, so no result holds a NaN and no sample makes it panic. A sample that a test cannot use
//! is [`Error::Statistics`](crate::Error::Statistics) (too few values, values that are not finite) or
//! [`Error::Degenerate`](crate::Error::Degenerate) (no spread to measure against); a sample without any effect, such as
//! differences that are all zero, is an answer: `p_value` 1 and a note.

pub use super::corrections::{Correction, benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use super::effects::{cliffs_delta, cohen_d, cohen_dz, cohen_h, hedges_g, pearson, rank_biserial, spearman};
pub use super::ground::guard::{mean, paired_differences, standard_deviation};
pub use super::ground::resample::{Bootstrap, IntervalMethod, bootstrap, bootstrap_difference, cluster_bootstrap};
pub use super::ground::{Alternative, Interval, TestResult};
pub use super::tests::functions::*;
