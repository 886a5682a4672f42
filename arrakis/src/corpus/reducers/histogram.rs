//! The distribution of a unit's activations.

use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::reducer::Reducer;
use crate::corpus::state::State;
use crate::corpus::unit::Unit;
use crate::error::{Error, Result};
use crate::plot::Bars;

/// How often a unit's activation falls into each of some bins of equal width. Values outside are counted apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationHistogram {
    unit: Unit,
    low: f64,
    high: f64,
    counts: Vec<u64>,
    below: u64,
    above: u64,
}

impl ActivationHistogram {
    /// Bins of equal width from `low` to `high`, in the units of the site. A bin counts the values from its left edge up
    /// to, not including, its right edge.
    ///
    /// # Errors
    ///
    /// A range that is empty or not finite, and no bins.
    pub fn new(unit: Unit, low: f64, high: f64, bins: usize) -> Result<Self> {
        if low.is_finite() && high.is_finite() && low < high && (1..=1000).contains(&bins) {
            return Ok(Self { unit, low, high, counts: vec![0; bins], below: 0, above: 0 });
        }
        let problem =
            format!("{bins} bins from {low} to {high} hold nothing; give 1 to 1000 bins and a low below the high");
        Err(Error::Value { of: "ActivationHistogram", problem })
    }

    /// The number of values in each bin, `[bin]`.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of values below the first bin, and from the end of the last bin on.
    pub fn outside(&self) -> (u64, u64) {
        (self.below, self.above)
    }

    /// The edges of the bins, `[bin + 1]`, in the units of the site.
    pub fn edges(&self) -> Vec<f64> {
        let bins = self.counts.len();
        (0..=bins).map(|at| self.low + (self.high - self.low) * at as f64 / bins as f64).collect()
    }

    /// The share of values in each bin as bars, named by their left edges.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn bars(&self) -> Result<Bars> {
        let total = self.counts.iter().sum::<u64>() + self.below + self.above;
        some("ActivationHistogram", total)?;
        let shares = self
            .edges()
            .into_iter()
            .zip(&self.counts)
            .map(|(edge, count)| (format!("{edge:.3}"), *count as f64 / total as f64));
        Ok(Bars::new(shares).titled(format!("{} ({} below, {} above)", self.unit.label(), self.below, self.above)))
    }
}

impl Reducer for ActivationHistogram {
    fn name(&self) -> String {
        format!("histogram of {:?} in {} bins from {} to {}", self.unit, self.counts.len(), self.low, self.high)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.unit.site().to_owned()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        self.unit.check(batch.model())?;
        let values = batch.unit(&self.unit)?;
        let bins = self.counts.len();
        for token in batch.counted() {
            let at = (f64::from(values.at(token.row, token.slot)) - self.low) / (self.high - self.low) * bins as f64;
            match at {
                at if at < 0.0 => self.below += 1,
                at if at >= bins as f64 => self.above += 1,
                at => self.counts[at as usize] += 1,
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        State::of(self)
    }

    fn restore(&mut self, state: State) -> Result<()> {
        *self = state.data()?;
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.below + self.above + self.counts.iter().sum::<u64>() == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        let other: Self = state.data()?;
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        (self.below, self.above) = (self.below + other.below, self.above + other.above);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_by_hand_and_mistakes_are_named() {
        let found = ActivationHistogram::new(Unit::neuron(0, 1), -1.0, 1.0, 4).unwrap();
        assert_eq!(found.edges(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert!(found.bars().is_err());
        let error = ActivationHistogram::new(Unit::neuron(0, 1), 1.0, 1.0, 4).unwrap_err().to_string();
        assert_eq!(
            error,
            "`ActivationHistogram`: 4 bins from 1 to 1 hold nothing; give 1 to 1000 bins and a low below the high"
        );
    }
}
