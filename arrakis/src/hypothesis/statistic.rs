//! The trait that every statistic implements.

use super::data::{Data, Design, Need, Terms};
use super::effects::EffectSize;
use super::estimand::Estimand;
use super::ground::guard::mean;
use super::ground::{Alternative, Interval, TestResult};
use super::shape::Shape;
use crate::error::Result;

/// A test that a claim can name: its p-value, interval and effect size, and what it requires of a measurement.
///
/// It is never called with [`Data`] of a design that it does not fit, nor with [`Terms`] that lack what it needs.
pub(crate) trait Statistic: Sync {
    /// The assumptions about the measurement under which the p-value is valid.
    fn assumes(&self) -> &'static str;

    /// What it is about.
    fn estimand(&self, _design: Design) -> Estimand {
        Estimand::Mean
    }

    /// Whether it can judge a measurement of this shape.
    fn fits(&self, design: Design) -> bool;

    /// Whether the automatic choice may take it for values of this shape.
    fn suits(&self, _shape: &Shape) -> bool {
        true
    }

    /// The options of the claim that it needs.
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// Whether it tests a direction; if not, it accepts no one-sided alternative.
    fn has_direction(&self) -> bool {
        true
    }

    /// How many tails of its draws count as extreme; `None` if it draws nothing.
    fn tails(&self, _alternative: Alternative) -> Option<usize> {
        None
    }

    /// The fewest values with which a claim can hold at the corrected α, where that is known.
    fn least(&self, _terms: &Terms) -> Option<usize> {
        None
    }

    /// The test itself.
    fn run(&self, terms: &Terms, data: Data) -> Result<TestResult>;

    /// The interval of the distance of the estimand from the null: the shifts that the test does not reject at the
    /// corrected α. `None` if it is not finite.
    fn interval(&self, terms: &Terms, data: Data) -> Result<Option<Interval>>;

    /// The estimated distance of the estimand from the null, in units of the metric. By default that of the mean.
    fn estimate(&self, _terms: &Terms, data: Data) -> Result<f64> {
        Ok(match data {
            Data::Draws { observed, null } => observed - mean(null),
            Data::Number { observed, null } => mean(observed) - null,
            Data::Samples { observed, null, .. } => mean(observed) - mean(null),
        })
    }

    /// The effect size; `Degenerate` if the values do not vary. By default the difference of means in standard deviations:
    /// Hedges's g of two independent samples, otherwise `d_z`.
    fn effect(&self, data: Data) -> Result<EffectSize> {
        match data {
            Data::Samples { observed, null, paired: false } => EffectSize::hedges_g(observed, null),
            _ => EffectSize::d_z(&data.differences()?),
        }
    }

    /// Why more than α of such claims may be false, given the shape of the values, and what would be safer; `None` if the
    /// level can be trusted.
    fn caution(&self, _shape: &Shape, _terms: &Terms) -> Option<String> {
        None
    }
}
