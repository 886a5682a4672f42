//! A scan: one edit for each place of a table, in one sweep, and the metric under each edit.

use arrakis_models::{HookedTransformer, SweepCase, SweepWork, Tokens};

use super::finite;
use super::metric::Metric;
use super::place::Place;
use super::score_table::{ScoreTable, mean};
use super::scores::Scores;
use crate::error::Result;

/// What is scanned: a model on prompts under a metric, for a tool.
pub(crate) struct Scan<'a> {
    pub(crate) tool: &'static str,
    pub(crate) model: &'a HookedTransformer,
    pub(crate) tokens: &'a Tokens,
    pub(crate) metric: &'a Metric,
}

/// The work with `runs` whole forwards of these prompts added. Each case alone would share them.
pub(crate) fn with_runs(work: SweepWork, model: &HookedTransformer, tokens: &Tokens, runs: usize) -> SweepWork {
    let blocks = runs * model.config().n_layers * tokens.batch() * tokens.pos();
    SweepWork {
        forwards: work.forwards + runs,
        forwards_alone: work.forwards_alone + runs,
        block_tokens: work.block_tokens + blocks,
        block_tokens_alone: work.block_tokens_alone + blocks,
    }
}

impl Scan<'_> {
    /// The metric under the edit of each place: `[row][column]`. `source` is the metric of the source run.
    pub(crate) fn run<P: Place>(
        &self,
        rows: Vec<P::Row>,
        columns: Vec<P::Column>,
        source: Option<f64>,
        edit: impl Fn(&P::Row, &P::Column, String) -> SweepCase,
    ) -> Result<Scores<P>> {
        let case = |row: &P::Row, column: &P::Column| edit(row, column, P::at(row, column).label());
        let cases: Vec<SweepCase> =
            rows.iter().flat_map(|row| columns.iter().map(|column| case(row, column)).collect::<Vec<_>>()).collect();
        let found = self.metric.sweep(self.model, self.tokens, cases)?;
        finite::check_all(self.tool, self.model, self.tokens, "the metric", &found.clean)?;
        Ok(Scores {
            baseline: mean(&found.clean),
            baseline_per_prompt: found.clean,
            source,
            values: ScoreTable::of_prompts(self.tool, self.metric.units(self.model), rows, columns, found.values)?
                .measured_on(self.tokens),
            work: found.work,
        })
    }

    /// The metric of these prompts without an edit.
    pub(crate) fn untouched(&self) -> Result<f64> {
        let value = self.metric.value(self.model, &self.model.forward(self.tokens)?, self.tokens)?;
        finite::check(self.tool, self.model, self.tokens, "the metric", value)?;
        Ok(value)
    }
}
