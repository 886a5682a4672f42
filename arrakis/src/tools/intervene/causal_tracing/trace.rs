//! The result of a trace, its published figure, and its mean over prompts of different lengths.

use serde::{Deserialize, Serialize};

use super::refuse::{NAME, refuse};
use super::restored::Restored;
use super::role::{Role, RoleLayer};
use crate::error::Result;
use crate::plot::Heatmap;
use crate::tools::place::StreamPosition;
use crate::tools::shared::score_table::mean;
use crate::tools::{ScoreTable, Scores};

/// The metric with one part of the stream restored at a time, in runs whose subject is corrupted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The metric with each layer and position restored, averaged over noise seeds: `[layer][position]`. The baseline is
    /// the corrupted run (the low score of the paper's code) and the source is the clean run (the high score).
    pub scores: Scores<StreamPosition>,
    /// What is restored.
    pub restored: Restored,
    /// How many layers are restored together, around each layer.
    pub window: usize,
    /// The positions of the subject.
    pub subject: Vec<usize>,
    /// Standard deviation of the noise, in the units of `embed`.
    pub sd: f64,
    /// The number of noise seeds.
    pub seeds: usize,
    /// What the metric is, whichever answer it is about ([`Metric::kind`](crate::tools::Metric::kind)).
    pub metric: String,
    /// The model's name, for the figure.
    pub model: String,
}

impl Trace {
    /// The metric of the clean run.
    pub fn clean(&self) -> f64 {
        self.scores.source.unwrap_or(f64::NAN)
    }

    /// The metric of the corrupted run, averaged over noise seeds.
    pub fn corrupted(&self) -> f64 {
        self.scores.baseline
    }

    /// What corruption takes away: the clean metric minus the corrupted one.
    pub fn total_effect(&self) -> f64 {
        self.clean() - self.corrupted()
    }

    /// What restoring brings back: the restored metric minus the corrupted one, `[layer][position]`.
    pub fn indirect_effect(&self) -> ScoreTable<StreamPosition> {
        self.scores.change()
    }

    /// The published figure: tokens by layers, the subject's tokens starred, from the corrupted metric (pale) to the
    /// largest one.
    pub fn panel(&self) -> Heatmap {
        let values = &self.scores.values;
        let by_position = (0..values.columns.len()).map(|at| values.values.iter().map(move |row| row[at]));
        let tokens = values.columns.iter().map(|at| {
            let star = if self.subject.contains(&at.position) { "*" } else { "" };
            format!("{}{star}", at.token)
        });
        let low = self.corrupted();
        let high = values.values.iter().flatten().copied().fold(low, f64::max);
        Heatmap::new(by_position)
            .titled(self.restored.title())
            .rows("token", tokens)
            .columns(&self.restored.axis(self.window, &self.model), &values.rows)
            .units(values.units.clone())
            .coloured(self.restored.colours())
            .limits(low, high)
    }

    /// The mean of traces by the role of each token, as in the paper's figures over many prompts: `[role][layer]`.
    /// Tokens with one role count equally, whichever trace they are in. A role that no token has is left out. Each prompt
    /// may have its own answer, as in the paper: the metric must be of one kind, such as a probability.
    ///
    /// # Errors
    ///
    /// No trace, or traces that restore different things, differ in their number of layers or in the kind of their metric.
    pub fn by_role(traces: &[Self]) -> Result<ScoreTable<RoleLayer>> {
        let first = traces.first().ok_or_else(|| refuse("there is no trace to average; give at least one"))?;
        let layers = &first.scores.values.rows;
        let alike = |other: &Self| {
            (other.restored, other.window, &other.scores.values.rows) == (first.restored, first.window, layers)
                && other.metric == first.metric
        };
        if !traces.iter().all(alike) {
            return Err(refuse(
                "the traces differ in what is restored, the window, the layers or the kind of metric; average traces of one kind",
            ));
        }
        let mut rows = Vec::new();
        let mut values = Vec::new();
        for role in Role::ALL {
            let of_layer =
                |layer: &usize| traces.iter().flat_map(|trace| trace.of_role(role, *layer)).collect::<Vec<_>>();
            let cells: Vec<Vec<f64>> = layers.iter().map(of_layer).collect();
            if cells.iter().all(|cell| !cell.is_empty()) {
                rows.push(role);
                values.push(cells.iter().map(|cell| mean(cell)).collect());
            }
        }
        let own = &first.scores.values.units;
        let units = if traces.iter().all(|trace| trace.scores.values.units == *own) { own } else { &first.metric };
        ScoreTable::new(NAME, units.clone(), rows, layers.clone(), values)
    }

    /// The scores of the tokens of one role in one layer.
    fn of_role(&self, role: Role, layer: usize) -> Vec<f64> {
        let row = &self.scores.values.values[layer];
        role.positions(&self.subject, row.len()).map(|at| row[at]).collect()
    }
}
