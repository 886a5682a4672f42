//! A metric of two models on the same prompts.

use arrakis_models::{HookedTransformer, Tokens};
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::scan::Scan;
use crate::error::Result;

/// A metric before and after a model was changed, in the metric's units; means over prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricChange {
    /// What the numbers are.
    pub units: String,
    /// Of the original model.
    pub before: f64,
    /// Of the changed model.
    pub after: f64,
}

impl MetricChange {
    /// Runs both models once.
    pub(crate) fn between(
        tool: &'static str,
        [before, after]: [&HookedTransformer; 2],
        tokens: &Tokens,
        metric: &Metric,
    ) -> Result<Self> {
        let of = |model| Scan { tool, model, tokens, metric }.untouched();
        Ok(Self { units: metric.units(before), before: of(before)?, after: of(after)? })
    }

    /// `after - before`.
    pub fn change(&self) -> f64 {
        self.after - self.before
    }
}
