//! The results of a sweep, and the work it saved.

use serde::{Deserialize, Serialize};

use super::case::SweepCase;
use super::group::Group;
use crate::hooks::numbers;
use crate::tokens::Tokens;

/// One number per case and prompt, in the order the cases were added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// The cases' labels.
    pub labels: Vec<String>,
    /// The metric of each prompt without any edit.
    #[serde(with = "numbers::many")]
    pub clean: Vec<f64>,
    /// The metric of each case and prompt, `[case][prompt]`.
    #[serde(with = "numbers::rows")]
    pub values: Vec<Vec<f64>>,
    /// Whether each case changed any number: `false` means the clean result was kept.
    pub changed: Vec<bool>,
    /// The work done, and the work of running each case alone from the start.
    pub work: SweepWork,
}

/// The work of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepWork {
    /// Forwards run, including the clean one.
    pub forwards: usize,
    /// Forwards if each case ran alone.
    pub forwards_alone: usize,
    /// Blocks evaluated, counted per token: blocks × rows × positions.
    pub block_tokens: usize,
    /// The same, if each case ran alone from the start.
    pub block_tokens_alone: usize,
}

impl SweepWork {
    /// The clean forward alone.
    pub(super) fn clean(n_layers: usize, tokens: &Tokens) -> Self {
        let one = n_layers * tokens.batch() * tokens.pos();
        Self { forwards: 1, forwards_alone: 1, block_tokens: one, block_tokens_alone: one }
    }

    /// Adds the work of a group's cases if each ran alone.
    pub(super) fn add_alone(&mut self, group: &Group, n_layers: usize, tokens: &Tokens) {
        self.forwards_alone += group.cases.len();
        self.block_tokens_alone += group.cases.len() * n_layers * tokens.batch() * tokens.pos();
    }

    /// Adds the forward of a group.
    pub(super) fn add(&mut self, group: &Group, n_layers: usize, tokens: &Tokens) {
        self.forwards += 1;
        self.block_tokens += group.blocks(n_layers) * tokens.batch() * (tokens.pos() - group.from_position);
    }

    /// With the work of all groups.
    pub(super) fn planned(mut self, groups: &[Group], n_layers: usize, tokens: &Tokens) -> Self {
        for group in groups {
            self.add_alone(group, n_layers, tokens);
            if !group.unchanged {
                self.add(group, n_layers, tokens);
            }
        }
        self
    }

    /// The work of all shards together. Each shard runs the clean forward; without shards it would run once.
    pub(super) fn of_shards(shards: impl Iterator<Item = Self>) -> Self {
        let shards: Vec<Self> = shards.collect();
        let sum = |of: fn(&Self) -> usize| shards.iter().map(of).sum::<usize>();
        let clean = shards.first().map_or(0, |shard| shard.block_tokens_alone / shard.forwards_alone.max(1));
        let again = shards.len().saturating_sub(1);
        Self {
            forwards: sum(|work| work.forwards),
            forwards_alone: sum(|work| work.forwards_alone).saturating_sub(again),
            block_tokens: sum(|work| work.block_tokens),
            block_tokens_alone: sum(|work| work.block_tokens_alone).saturating_sub(again * clean),
        }
    }

    /// The fraction of block evaluations that was saved.
    pub fn saved(&self) -> f64 {
        1.0 - self.block_tokens as f64 / self.block_tokens_alone.max(1) as f64
    }
}

impl SweepResult {
    pub(super) fn new(cases: &[SweepCase], clean: Vec<f64>, n_layers: usize, tokens: &Tokens) -> Self {
        Self {
            labels: cases.iter().map(|case| case.label.clone()).collect(),
            values: vec![clean.clone(); cases.len()],
            changed: vec![true; cases.len()],
            clean,
            work: SweepWork::clean(n_layers, tokens),
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
