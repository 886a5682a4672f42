//! The loss of the model over a corpus.

use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::reducer::Reducer;
use crate::corpus::state::State;
use crate::corpus::sums::Sums;
use crate::error::Result;

/// Mean cross entropy of the counted tokens, and the perplexity.
///
/// The first token of a window has no prediction and is left out, so a short window without overlap overstates the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    sum: Sums,
    count: u64,
}

impl Default for Loss {
    fn default() -> Self {
        Self::new()
    }
}

impl Loss {
    /// The loss of no tokens yet.
    pub fn new() -> Self {
        Self { sum: Sums::new(1), count: 0 }
    }

    /// Number of tokens with a prediction.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean cross entropy in nats per token.
    ///
    /// # Errors
    ///
    /// No token with a prediction was seen.
    pub fn mean(&self) -> Result<f64> {
        some("Loss", self.count)?;
        Ok(self.sum.get(0) / self.count as f64)
    }

    /// The exponential of the mean.
    ///
    /// # Errors
    ///
    /// Those of [`Loss::mean`].
    pub fn perplexity(&self) -> Result<f64> {
        Ok(self.mean()?.exp())
    }
}

impl Reducer for Loss {
    fn name(&self) -> String {
        "loss".into()
    }

    fn sites(&self) -> Vec<String> {
        vec!["logits".into()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let pairs = batch.tokens().pos() - 1;
        if pairs == 0 {
            return Ok(());
        }
        let logits = batch.activation("logits")?.tensor()?;
        let losses = arrakis_models::device::read(batch.model().loss_per_token(logits, batch.tokens())?)?;
        let of = |row: usize, slot: usize| losses[row * pairs + slot - 1];
        batch.finite("loss", |token| {
            (token.slot > 0).then(|| of(token.row, token.slot)).filter(|loss| !loss.is_finite())
        })?;
        let predicted = batch.counted().iter().filter(|token| token.slot > 0);
        for token in predicted {
            self.sum.add(0, f64::from(of(token.row, token.slot)));
            self.count += 1;
        }
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.count == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        let other: Self = state.data()?;
        self.sum.join(&other.sum);
        self.count += other.count;
        Ok(())
    }

    fn state(&self) -> Result<State> {
        State::of(self)
    }

    fn restore(&mut self, state: State) -> Result<()> {
        *self = state.data()?;
        Ok(())
    }
}
