//! What a training says of itself while it runs.

use std::fmt;

use arrakis_models::device;
use arrakis_models::dictionary::Losses;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::dictionary::metrics::{Coded, ExplainedVariance, Sparsity};
use crate::error::Result;
use crate::fmt::short;

/// A dictionary on the batch of one step, before the step changed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The step, from 0.
    pub step: usize,
    /// Tokens trained on, this step's included.
    pub tokens: u64,
    /// The learning rate of the step.
    pub lr: f64,
    /// The terms of the loss by name, with their coefficients.
    pub terms: Vec<(String, f64)>,
    /// The mean number of active latents.
    pub l0: f64,
    /// The share of the batch's variance that is kept.
    pub explained_variance: f64,
    /// The share of latents that are dead, by the training's definition.
    pub dead: f64,
}

impl Progress {
    /// The sum of the terms.
    pub fn loss(&self) -> f64 {
        self.terms.iter().map(|(_, value)| value).sum()
    }

    /// Of the losses of a step and the target that they are of.
    pub(super) fn of(losses: &Losses, target: Tensor<2>, dead: &[bool]) -> Result<Self> {
        let coded = Coded::new(target, losses.reconstruction.clone().inner(), losses.acts.clone().inner())?;
        let (mut sparsity, mut variance) = (Sparsity::new(), ExplainedVariance::new());
        sparsity.add(&coded);
        variance.add(&coded);
        let term = |term: &arrakis_models::dictionary::Term| {
            Ok((term.name.clone(), f64::from(device::read(term.value.clone().inner())?[0])))
        };
        let count = dead.iter().filter(|dead| **dead).count();
        Ok(Self {
            step: 0,
            tokens: 0,
            lr: 0.0,
            terms: losses.terms.iter().map(term).collect::<Result<_>>()?,
            l0: sparsity.l0()?,
            explained_variance: variance.share()?,
            dead: count as f64 / dead.len().max(1) as f64,
        })
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { l0, explained_variance, dead, .. } = self;
        let (l0, variance, dead) = (short(*l0), short(*explained_variance), short(100.0 * dead));
        write!(f, "L0 {l0}, explained variance {variance}, {dead} % dead")
    }
}
