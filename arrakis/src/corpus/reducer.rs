//! What is kept of a pass.

use super::batch::Batch;
use super::state::State;
use crate::error::Result;

/// Gathers numbers over a corpus, batch by batch.
///
/// A result may depend neither on how windows are grouped into batches nor on their order, beyond the rounding of sums.
/// So keep what order cannot change: sums, the largest with ties by place, draws decided by place.
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
}
