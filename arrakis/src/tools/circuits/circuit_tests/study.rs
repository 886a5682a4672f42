//! Scores of circuits, whatever they are made of: the metric with everything else taken from the source.

use std::collections::BTreeSet;
use std::fmt;

use arrakis_models::{HookedTransformer, Tokens, TransformerConfig};

use super::refuse::{NAME, refuse};
use crate::error::Result;
use crate::tools::Metric;
use crate::tools::shared::finite;

/// The units that a circuit keeps.
pub(super) type Circuit<U> = BTreeSet<U>;

/// What a circuit is made of: [`CircuitPart`](super::CircuitPart)s or [`CircuitEdge`](super::CircuitEdge)s.
#[allow(private_bounds, reason = "only this module knows how to cut a unit")]
pub trait CircuitUnit: Unit {}

impl<U: Unit> CircuitUnit for U {}

/// How units are listed, and what a model without some of them says.
pub(super) trait Unit: Copy + Ord + fmt::Display {
    /// What several are called.
    const MANY: &'static str;

    /// What cut units take from the source run.
    type Source;

    /// Every unit of a model, in the order of a forward.
    fn all(model: &HookedTransformer) -> Vec<Self>;

    /// Whether a model has it.
    fn is_in(self, config: &TransformerConfig) -> bool;

    /// What to say if a model does not have it.
    fn missing(self, config: &TransformerConfig) -> String;

    /// Runs the source.
    fn source(model: &HookedTransformer, source: &Tokens) -> Result<Self::Source>;

    /// The metric if only these circuits are kept: `[circuit][prompt]`. Each leaves something out.
    fn scores(study: &Study<Self>, circuits: &[&Circuit<Self>]) -> Result<Vec<Vec<f64>>>;
}

/// A model on target prompts, with what is cut off takes from the source.
pub(super) struct Study<'a, U: Unit> {
    pub(super) model: &'a HookedTransformer,
    pub(super) target: &'a Tokens,
    pub(super) metric: &'a Metric,
    pub(super) units: Vec<U>,
    pub(super) source: U::Source,
    /// The metric of the whole model, `[prompt]`.
    pub(super) clean: Vec<f64>,
}

impl<'a, U: Unit> Study<'a, U> {
    pub(super) fn new(
        model: &'a HookedTransformer,
        source: &Tokens,
        target: &'a Tokens,
        metric: &'a Metric,
    ) -> Result<Self> {
        let units = U::all(model);
        let clean = metric.of_each(model, &model.forward(target)?, target)?;
        finite::check_all(NAME, model, target, "the metric", &clean)?;
        let source = U::source(model, source)?;
        Ok(Self { model, target, metric, units, source, clean })
    }

    /// The units of a circuit, which the model must have.
    pub(super) fn circuit(&self, units: impl IntoIterator<Item = U>) -> Result<Circuit<U>> {
        let (circuit, config) = (units.into_iter().collect::<Circuit<U>>(), self.model.config());
        match circuit.iter().find(|unit| !unit.is_in(config)) {
            Some(unit) => Err(refuse(unit.missing(config))),
            None => Ok(circuit),
        }
    }

    /// The same, with some units and not all.
    pub(super) fn proper(&self, units: impl IntoIterator<Item = U>) -> Result<Circuit<U>> {
        let circuit = self.circuit(units)?;
        if (1..self.units.len()).contains(&circuit.len()) {
            return Ok(circuit);
        }
        let (own, all, many) = (circuit.len(), self.units.len(), U::MANY);
        Err(refuse(format!(
            "a circuit of {own} of {all} {many} has no random circuit beside it; give some {many}, not all"
        )))
    }

    /// The units that are not in a circuit.
    pub(super) fn without(&self, circuit: &Circuit<U>) -> Circuit<U> {
        self.units.iter().copied().filter(|unit| !circuit.contains(unit)).collect()
    }

    /// The metric of each circuit: `[circuit][prompt]`.
    pub(super) fn scores(&self, circuits: &[Circuit<U>]) -> Result<Vec<Vec<f64>>> {
        let mut scores = vec![self.clean.clone(); circuits.len()];
        let cut: Vec<usize> = (0..circuits.len()).filter(|at| circuits[*at].len() < self.units.len()).collect();
        if cut.is_empty() {
            return Ok(scores);
        }
        let own: Vec<&Circuit<U>> = cut.iter().map(|at| &circuits[*at]).collect();
        for (at, found) in cut.into_iter().zip(U::scores(self, &own)?) {
            finite::check_all(NAME, self.model, self.target, "the metric of a circuit", &found)?;
            scores[at] = found;
        }
        Ok(scores)
    }

    /// The mean square difference of each circuit's metric from the model's.
    pub(super) fn distances(&self, circuits: &[Circuit<U>]) -> Result<Vec<f64>> {
        Ok(self.scores(circuits)?.iter().map(|scores| distance(scores, &self.clean)).collect())
    }
}

/// The mean square difference over prompts.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}
