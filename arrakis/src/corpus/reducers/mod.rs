//! What can be kept of a pass, a reducer a file.

mod covariance;
mod firing;
mod histogram;
mod loss;
mod samples;
mod top_activations;

pub use covariance::Covariance;
pub use firing::Firing;
pub use histogram::ActivationHistogram;
pub use loss::Loss;
pub use samples::{Drawn, Samples};
pub use top_activations::{Example, Quantile, TopActivations, UnitExamples};

use crate::error::{Error, Result};

/// Fails if a reducer has seen no token.
fn some(of: &'static str, count: u64) -> Result<()> {
    if count > 0 {
        return Ok(());
    }
    Err(Error::Value { of, problem: "it has seen no token; run a pass with it first".into() })
}
