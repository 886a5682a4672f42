//! Maximally activating examples, as text and as a figure.

use std::collections::BTreeMap;
use std::fmt;

use arrakis_models::HookedTransformer;
use serde::{Deserialize, Serialize};

use super::{FeatureViz, own};
use crate::corpus::{Corpus, Example, Pass, PassReport, TopActivations, Unit, UnitExamples};
use crate::error::Result;
use crate::plot::{ColouredTokens, Figure};
use crate::tools::Layer;
use crate::tools::shared::common;

/// What [`FeatureViz::examples`] keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleSearch {
    /// Highest activations of each unit.
    pub k: usize,
    /// Tokens shown before each.
    pub before: usize,
    /// Tokens shown after each.
    pub after: usize,
    /// Quantiles: shares of equal size of the tokens on which the unit is active.
    pub bins: usize,
    /// Tokens drawn from each quantile.
    pub per_bin: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Leaves the first tokens of each window out; see [`Pass::skip_first`].
    pub skip_first: usize,
}

/// As `SAEDashboard` and Neuronpedia show them: 20 examples and 10 quantiles of 5, with 5 tokens on either side.
impl Default for ExampleSearch {
    fn default() -> Self {
        Self { k: 20, before: 5, after: 5, bins: 10, per_bin: 5, seed: 0, skip_first: 0 }
    }
}

/// What was found for some units, with the text of the tokens. Prints as a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureExamples {
    /// What was found for each unit, in the order they were given.
    pub units: Vec<UnitExamples>,
    /// The text of each token that occurs.
    pub texts: BTreeMap<u32, String>,
    /// What the pass did; `None` for a pass of your own.
    pub report: Option<PassReport>,
}

pub(super) fn found(
    model: &HookedTransformer,
    corpus: &Corpus,
    units: Vec<Unit>,
    settings: &ExampleSearch,
) -> Result<FeatureExamples> {
    units.iter().try_for_each(|unit| unit.check(model))?;
    let top = TopActivations::new(units, settings.k).around(settings.before, settings.after);
    let mut top = top.drawn(settings.bins * settings.per_bin, settings.seed);
    let report = Pass::new(model, corpus).skip_first(settings.skip_first).run(&mut [&mut top])?;
    Ok(FeatureExamples { report: Some(report), ..of(model, &top, settings.bins) })
}

fn of(model: &HookedTransformer, top: &TopActivations, bins: usize) -> FeatureExamples {
    let units = top.examples(bins);
    let examples = units
        .iter()
        .flat_map(|unit| unit.top.iter().chain(unit.quantiles.iter().flat_map(|quantile| &quantile.examples)));
    let mut ids: Vec<u32> = examples.flat_map(|example| example.tokens.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let texts = ids.into_iter().map(|id| (id, common::label(model, id))).collect();
    FeatureExamples { units, texts, report: None }
}

impl FeatureViz {
    /// The tokens of a corpus on which each unit is most active, from one pass that stops after the deepest unit.
    ///
    /// For a pass of your own, such as one that can be resumed, run
    /// [`TopActivations`] and give it to [`FeatureViz::of_pass`].
    ///
    /// # Errors
    ///
    /// A unit that the model does not have, and those of [`Pass::run`].
    pub fn examples(
        &self,
        corpus: &Corpus,
        units: impl IntoIterator<Item = Unit>,
        settings: &ExampleSearch,
    ) -> Result<FeatureExamples> {
        found(&self.model, corpus, units.into_iter().collect(), settings).map_err(own)
    }

    /// The `k` tokens of a corpus on which a neuron (`mlp.post`) is most active.
    ///
    /// # Errors
    ///
    /// Those of [`FeatureViz::examples`].
    pub fn activate_neuron(
        &self,
        corpus: &Corpus,
        layer: impl Into<Layer>,
        neuron: usize,
        k: usize,
    ) -> Result<UnitExamples> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        let settings = ExampleSearch { k, bins: 0, ..ExampleSearch::default() };
        Ok(self.examples(corpus, [Unit::neuron(layer, neuron)], &settings)?.units.remove(0))
    }

    /// What a pass of your own found, with the text of the tokens; the drawn tokens in `bins` quantiles.
    pub fn of_pass(&self, top: &TopActivations, bins: usize) -> FeatureExamples {
        of(&self.model, top, bins)
    }
}

impl FeatureExamples {
    /// The text of an example, its token in `[brackets]`.
    pub fn text(&self, example: &Example) -> String {
        let word = |(at, id): (usize, &u32)| {
            let text = &self.texts[id];
            if at == example.at { format!("[{text}]") } else { text.clone() }
        };
        example.tokens.iter().enumerate().map(word).collect()
    }

    /// A unit's examples as tokens coloured by its activation, a panel for the highest and for each quantile. The figure
    /// is one HTML page with [`Figure::to_html`].
    ///
    /// # Errors
    ///
    /// An index of no unit.
    pub fn figure(&self, unit: usize) -> Result<Figure> {
        let found =
            self.units.get(unit).ok_or_else(|| arrakis_models::Error::out_of_range("unit", unit, self.units.len()))?;
        let share = 100.0 * found.active as f64 / found.tokens.max(1) as f64;
        let subtitle = format!("active on {share:.2} % of {} tokens", found.tokens);
        let mut figure = Figure::new(format!("What activates {}", found.unit.label())).subtitle(subtitle).columns(1);
        figure.push(self.panel(found, "highest activations", &found.top));
        for (at, quantile) in found.quantiles.iter().enumerate() {
            let title = format!("quantile {}: {:.3} to {:.3}", at + 1, quantile.low, quantile.high);
            figure.push(self.panel(found, &title, &quantile.examples));
        }
        Ok(figure)
    }

    /// Examples below each other, each after its place. One scale serves all panels of a unit.
    fn panel(&self, found: &UnitExamples, title: &str, examples: &[Example]) -> ColouredTokens {
        let all = found.top.iter().flat_map(|example| &example.activations);
        let (low, high) = all.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
        let high = if low < high { high } else { low + 1.0 };
        let line = |panel: ColouredTokens, (rank, example): (usize, &Example)| {
            let Example { document, position, activation, .. } = example;
            let label = format!("{}. {activation:.3}, document {document} at {position}:", rank + 1);
            // A line end inside an example would look like the next example.
            let tokens = example.tokens.iter().map(|id| self.texts[id].replace('\n', "↵"));
            panel.passage(label, tokens, example.activations.iter().copied())
        };
        let panel = examples.iter().enumerate().fold(ColouredTokens::default(), line);
        panel.titled(title).units(format!("activation of {}", found.unit.label())).limits(low, high)
    }
}

impl fmt::Display for FeatureExamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.units {
            let UnitExamples { unit, tokens, active, top, .. } = found;
            writeln!(f, "{}, active on {active} of {tokens} tokens", unit.label())?;
            for example in top {
                let Example { document, position, activation, .. } = example;
                writeln!(f, "{activation:>10.4}  {document:>5} at {position:<5}  {:?}", self.text(example))?;
            }
        }
        self.report.as_ref().map_or(Ok(()), |report| writeln!(f, "{report}"))
    }
}
