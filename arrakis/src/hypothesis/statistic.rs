//! The trait that every statistic implements.

use super::data::{Data, Design, Need, Terms};
use super::effects::EffectSize;
use super::ground::{Alternative, Interval, TestResult};
use crate::error::Result;

/// A test that a claim can name: its p-value, interval and effect size, and what it requires of a measurement.
///
/// It is never called with [`Data`] of a design that it does not fit, nor with [`Terms`] that lack what it needs.
pub(crate) trait Statistic: Sync {
    /// The assumptions about the measurement under which the p-value is valid.
    fn assumes(&self) -> &'static str;

    /// Whether it can judge a measurement of this shape.
    fn fits(&self, design: Design) -> bool;

    /// The option of the claim that it needs, if any.
    fn needs(&self) -> Option<Need> {
        None
    }

    /// Whether it tests a direction; if not, it accepts no one-sided alternative.
    fn has_direction(&self) -> bool {
        true
    }

    /// How many tails of its draws count as extreme; `None` if it draws nothing.
    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        None
    }

    /// The test itself.
    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult>;

    /// The interval of the mean difference from the null; `None` for one value.
    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>>;

    /// The effect size; `Degenerate` if the values do not vary. By default the mean difference from the null, divided by
    /// its standard deviation.
    fn effect(&self, data: Data) -> Result<EffectSize> {
        EffectSize::d_z(&data.differences()?)
    }
}
