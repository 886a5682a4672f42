//! What every statistic can do.

use super::data::{Data, Design, Need, Terms};
use super::effects::EffectSize;
use super::ground::{Alternative, Interval, TestResult};
use crate::error::Result;

/// One test that a claim can name: its p-value, its interval, its effect size, and what it asks of a measurement.
///
/// [`Data`] of a design that does not fit never arrives, nor do [`Terms`] that lack what the statistic needs.
pub(crate) trait Statistic: Sync {
    /// What must be true of the measurement for the p-value to mean what it says.
    fn assumes(&self) -> &'static str;

    /// Whether it can judge a measurement of this shape.
    fn fits(&self, design: Design) -> bool;

    /// The option of the claim that it cannot do without.
    fn needs(&self) -> Option<Need> {
        None
    }

    /// Whether it claims a direction; one that does not takes no one-sided alternative.
    fn has_direction(&self) -> bool {
        true
    }

    /// How many tails of its draws count as extreme; `None` where nothing is drawn.
    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        None
    }

    /// The test itself.
    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult>;

    /// The interval of the mean difference from the null; `None` for one value.
    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>>;

    /// How large the effect is; `Degenerate` where nothing varies.
    fn effect(&self, data: Data) -> Result<EffectSize>;
}
