//! What is kept of a pass.

use super::batch::Batch;
use super::state::State;
use crate::error::Result;

/// Gathers numbers over a corpus, batch by batch.
///
/// A result may depend neither on how windows are grouped into batches, beyond the rounding of a batch's own numbers, nor on
/// the order of the batches. So keep what order cannot change: counts, [`Sums`](super::Sums), the largest with ties by
/// place, draws decided by place.
pub trait Reducer {
    /// Its kind and settings. A saved pass is only continued by reducers of the same names.
    fn name(&self) -> String;

    /// The sites that it reads, names or patterns.
    fn sites(&self) -> Vec<String>;

    /// Takes in one batch.
    ///
    /// # Errors
    ///
    /// A site of the wrong shape, or numbers that are not finite.
    fn update(&mut self, batch: &Batch<'_>) -> Result<()>;

    /// Everything it has gathered, to go on from after a stop.
    ///
    /// # Errors
    ///
    /// What cannot be written.
    fn state(&self) -> Result<State>;

    /// Goes on from a saved state.
    ///
    /// # Errors
    ///
    /// A state of another reducer.
    fn restore(&mut self, state: State) -> Result<()>;

    /// Whether it can [join](Reducer::join) others: it has seen no token, and knows how. A pass with a reducer that cannot runs
    /// whole on every shard of a job.
    fn is_joinable(&self) -> bool {
        false
    }

    /// Adds what another of the same name gathered from other batches. All orders of joining give the same bits as one that
    /// saw every batch.
    ///
    /// # Errors
    ///
    /// A state of another reducer, and a reducer that cannot join others.
    fn join(&mut self, state: State) -> Result<()> {
        drop(state);
        let problem = format!("`{}` cannot join what another gathered: implement `Reducer::join` for it", self.name());
        Err(crate::error::Error::Value { of: "Reducer", problem })
    }
}
