//! What a sweep found, and the work it saved.

use serde::{Deserialize, Serialize};

use super::batch::Group;
use super::case::SweepCase;
use crate::tokens::Tokens;

/// One number a case and prompt, in the order the cases were added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// The cases' labels.
    pub labels: Vec<String>,
    /// The metric of each prompt without any edit.
    pub clean: Vec<f64>,
    /// The metric of each case and prompt, `[case][prompt]`.
    pub values: Vec<Vec<f64>>,
    /// Whether each case changed any number: `false` means the clean result was kept.
    pub changed: Vec<bool>,
    /// What was run, and what running each case alone from the start would have been.
    pub work: SweepWork,
}

/// The work of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepWork {
    /// Forwards run, the clean one included.
    pub forwards: usize,
    /// Forwards one at a time would have taken.
    pub forwards_alone: usize,
    /// Block evaluations, counted a token: blocks × rows × positions.
    pub block_tokens: usize,
    /// The same, one at a time from the start.
    pub block_tokens_alone: usize,
}

impl SweepWork {
    pub(super) fn add(&mut self, group: &Group, n_layers: usize, tokens: &Tokens) {
        let blocks = n_layers - group.layer.unwrap_or(0);
        self.forwards += 1;
        self.block_tokens += blocks * group.cases.len() * tokens.batch() * (tokens.pos() - group.from_position);
    }

    /// The share of block evaluations that was not needed.
    pub fn saved(&self) -> f64 {
        1.0 - self.block_tokens as f64 / self.block_tokens_alone.max(1) as f64
    }
}

impl SweepResult {
    pub(super) fn new(cases: &[SweepCase], clean: Vec<f64>, n_layers: usize, tokens: &Tokens) -> Self {
        let one = n_layers * tokens.batch() * tokens.pos();
        let work = SweepWork {
            forwards: 1,
            forwards_alone: cases.len() + 1,
            block_tokens: one,
            block_tokens_alone: one * (cases.len() + 1),
        };
        Self {
            labels: cases.iter().map(|case| case.label.clone()).collect(),
            values: vec![clean.clone(); cases.len()],
            changed: vec![true; cases.len()],
            clean,
            work,
        }
    }

    pub(super) fn keep(&mut self, case: usize, values: Vec<f64>) {
        self.values[case] = values;
    }

    pub(super) fn keep_clean(&mut self, case: usize) {
        self.changed[case] = false;
    }

    /// The mean over prompts of each case.
    pub fn means(&self) -> Vec<f64> {
        self.values.iter().map(|row| mean(row)).collect()
    }

    /// The mean over prompts without any edit.
    pub fn clean_mean(&self) -> f64 {
        mean(&self.clean)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
