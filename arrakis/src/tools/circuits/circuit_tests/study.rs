//! Scores of circuits: the metric with every other part patched from the source.

use std::collections::BTreeMap;

use arrakis_models::{HookedTransformer, Intervention, SweepCase, Tokens};

use super::part::{self, Circuit, CircuitPart};
use super::refuse::{NAME, refuse};
use crate::error::Result;
use crate::tools::Metric;
use crate::tools::shared::finite;

/// A model on target prompts, with what its parts are patched with.
pub(super) struct Study<'a> {
    model: &'a HookedTransformer,
    target: &'a Tokens,
    metric: &'a Metric,
    pub(super) parts: Vec<CircuitPart>,
    /// The source's activation of each site.
    patches: BTreeMap<String, Intervention>,
    /// The metric of the whole model, `[prompt]`.
    pub(super) clean: Vec<f64>,
}

impl<'a> Study<'a> {
    pub(super) fn new(
        model: &'a HookedTransformer,
        source: &Tokens,
        target: &'a Tokens,
        metric: &'a Metric,
    ) -> Result<Self> {
        let parts = part::all(model);
        let clean = metric.of_each(model, &model.forward(target)?, target)?;
        finite::check_all(NAME, model, target, "the metric", &clean)?;
        let sites: Vec<_> = parts.iter().map(|part| part.site()).collect();
        let source = model.capture(source, sites.iter().copied())?;
        let patch =
            |site: &arrakis_models::site::Site| Ok((site.to_string(), Intervention::patch(source.activation(site)?)));
        let patches = sites.iter().map(patch).collect::<Result<_>>()?;
        Ok(Self { model, target, metric, parts, patches, clean })
    }

    /// The parts of a circuit, which the model must have.
    pub(super) fn circuit(&self, parts: impl IntoIterator<Item = CircuitPart>) -> Result<Circuit> {
        let circuit: Circuit = parts.into_iter().collect();
        match circuit.iter().find(|part| !self.parts.contains(part)) {
            Some(part) => {
                let config = self.model.config();
                let (layers, heads) = (config.n_layers, config.n_heads);
                Err(refuse(format!(
                    "the model has no {part}; it has {layers} layers with {heads} heads and an MLP each"
                )))
            }
            None => Ok(circuit),
        }
    }

    /// The same, with some parts and not all.
    pub(super) fn proper(&self, parts: impl IntoIterator<Item = CircuitPart>) -> Result<Circuit> {
        let circuit = self.circuit(parts)?;
        if (1..self.parts.len()).contains(&circuit.len()) {
            return Ok(circuit);
        }
        let (own, all) = (circuit.len(), self.parts.len());
        Err(refuse(format!(
            "a circuit of {own} of {all} parts has no random circuit beside it; give some parts, not all"
        )))
    }

    /// The parts that are not in a circuit.
    pub(super) fn without(&self, circuit: &Circuit) -> Circuit {
        self.parts.iter().copied().filter(|part| !circuit.contains(part)).collect()
    }

    /// The metric of each circuit: `[circuit][prompt]`.
    pub(super) fn scores(&self, circuits: &[Circuit]) -> Result<Vec<Vec<f64>>> {
        let mut scores = vec![self.clean.clone(); circuits.len()];
        let cut: Vec<usize> = (0..circuits.len()).filter(|at| circuits[*at].len() < self.parts.len()).collect();
        let cases: Vec<SweepCase> = cut.iter().map(|at| self.case(&circuits[*at])).collect();
        if cases.is_empty() {
            return Ok(scores);
        }
        for (at, found) in cut.into_iter().zip(self.metric.sweep(self.model, self.target, cases)?.values) {
            finite::check_all(NAME, self.model, self.target, "the metric of a circuit", &found)?;
            scores[at] = found;
        }
        Ok(scores)
    }

    /// The mean square difference of each circuit's metric from the model's.
    pub(super) fn distances(&self, circuits: &[Circuit]) -> Result<Vec<f64>> {
        Ok(self.scores(circuits)?.iter().map(|scores| distance(scores, &self.clean)).collect())
    }

    fn case(&self, circuit: &Circuit) -> SweepCase {
        let label: Vec<String> = circuit.iter().map(ToString::to_string).collect();
        let none = SweepCase { label: label.join(" "), edits: Vec::new() };
        self.without(circuit).into_iter().fold(none, |case, part| {
            let patch = self.patches[&part.site().to_string()].clone();
            let patch = part.head().map_or_else(|| patch.clone(), |head| patch.clone().head(head));
            case.and(part.site(), patch)
        })
    }
}

/// The mean square difference over prompts.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}
