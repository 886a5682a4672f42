//! Claims, the tests that judge them, and the verdicts they get.
//!
//! A [`Claim`] says before the measurement what is claimed, against which null, by which test and at which α.
//! [`Claim::judge`] holds a measured [`Sample`] against a [`Null`] and gives a [`Verdict`]; a [`Suite`] corrects many
//! verdicts for having looked many times. [`stats`] has the tests themselves, as plain functions.
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

mod claim;
mod estimate;
mod fit;
mod judge;
mod sample;
pub mod stats;
mod suite;
mod test;
mod verdict;

#[cfg(test)]
mod testing;

pub use claim::{Claim, Null};
pub use sample::{IntoSample, Sample, Summary};
pub use stats::{Alternative, Correction, Interval};
pub use suite::{Row, Suite};
pub use test::Test;
pub use verdict::{EffectSize, NullSummary, Verdict};
