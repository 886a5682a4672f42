//! A site that must be finite.

use crate::corpus::{Batch, Reducer, State};
use crate::error::Result;

/// Refuses activations that are not finite: the latents of one may well be finite.
pub(super) struct Finite(String);

impl Finite {
    pub(super) fn new(site: &str) -> Self {
        Self(site.to_owned())
    }
}

impl Reducer for Finite {
    fn name(&self) -> String {
        format!("finite {}", self.0)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.0.clone()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        batch.rows(&self.0).map(drop)
    }

    fn state(&self) -> Result<State> {
        Ok(State::default())
    }

    fn restore(&mut self, _: State) -> Result<()> {
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        true
    }

    fn join(&mut self, _: State) -> Result<()> {
        Ok(())
    }
}
