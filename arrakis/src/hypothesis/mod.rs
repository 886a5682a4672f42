//! Claims, the tests that judge them, and their verdicts.
//!
//! A [`Claim`] says before the measurement what is claimed, against which null, by which test and at which α.
//! [`Claim::judge`] compares a measured [`Sample`] with a [`Null`] and gives a [`Verdict`]. A [`Suite`] corrects
//! several verdicts for multiple comparisons. [`Test`] lists the statistics that a claim can name; [`stats`] has them
//! as plain functions.
//!
//! ```
//! use arrakis::hypothesis::{Alternative, Claim, IntoSample, Null};
//!
//! let claim = Claim {
//!     statement: "head 5.5 attends to the token after the last copy".into(),
//!     metric: "induction score".into(),
//!     null: "uniform attention".into(),
//!     alternative: Alternative::Greater,
//!     ..Claim::default()
//! };
//! let scores = [0.61, 0.55, 0.70, 0.48, 0.66, 0.59].into_sample()?;
//! let verdict = claim.judge(scores, Null::Value(0.1))?;
//! assert!(verdict.holds);
//! # Ok::<(), arrakis::Error>(())
//! ```

mod choose;
mod claim;
mod corrections;
mod data;
mod effects;
mod estimand;
mod ground;
mod judge;
mod plan;
mod sample;
mod selection;
mod shape;
mod stability;
mod statistic;
pub mod stats;
mod suite;
mod tests;
mod variance;
mod verdict;

#[cfg(test)]
mod testing;

pub use claim::{Claim, Null};
pub use effects::EffectSize;
pub use estimand::Estimand;
pub use plan::{Look, Spending};
pub use sample::{IntoSample, Sample, Summary};
pub(crate) use sample::{Number, with_numbers};
pub(crate) use selection::Noted;
pub use selection::{Origin, Search};
pub use stability::Stability;
pub use stats::{Alternative, Correction, Interval};
pub use suite::{Corrected, Suite};
pub use tests::Test;
pub use variance::VarianceComponent;
pub use verdict::{NullSummary, Verdict};
