//! Helpers for testing claims.

use super::{Alternative, Claim, IntoSample, Sample, Test};

pub(crate) fn claim(test: Test) -> Claim {
    Claim { statement: "it copies".into(), test, alternative: Alternative::Greater, ..Claim::default() }
}

pub(crate) fn sample(values: impl IntoSample) -> Sample {
    values.into_sample().unwrap()
}
