//! How a dictionary is trained.

use serde::{Deserialize, Serialize};

use crate::dictionary::metrics::DeadAfter;
use crate::error::{Error, Result};

/// What is done to the decoder's directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderRule {
    /// Nothing: the loss weighs latents by the lengths of their directions (Anthropic's update of April 2024).
    #[default]
    Free,
    /// They have length 1. The part of the gradient along them is taken off before each step, and they are scaled after it
    /// (Bricken et al., 2023).
    UnitNorm,
}

/// How dead latents are given new weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resampling {
    /// Steps between resamplings.
    pub every: usize,
    /// No resampling after this step.
    pub until: usize,
    /// The power of a token's reconstruction error that its chance is proportional to: 1 as in `dictionary_learning`, 2
    /// (the squared loss) as in Bricken et al.
    pub power: f64,
}

/// Settings of a training. The defaults are those of `SAELens` where it has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Batches, each one step.
    pub steps: usize,
    /// Learning rate after the warm-up. 3e-4.
    pub lr: f64,
    /// Steps over which the learning rate rises in a line. 0.
    pub lr_warm_up: usize,
    /// Last steps, over which the learning rate falls in a line to 0. 0.
    pub lr_decay: usize,
    /// Steps over which the sparsity terms rise in a line. 0.
    pub sparsity_warm_up: usize,
    /// Decay rates of Adam's moments. 0.9 and 0.999.
    pub betas: [f32; 2],
    /// Added to the root of Adam's second moment. 1e-8.
    pub epsilon: f32,
    /// Decoupled weight decay of the matrices (`AdamW`). 0.
    pub weight_decay: f32,
    /// The most that the norm of all gradients together may be. 1.
    pub clip: f64,
    /// What is done to the decoder's directions.
    pub decoder: DecoderRule,
    /// When a latent is taken for dead. After 1000 steps.
    pub dead_after: DeadAfter,
    /// How dead latents are given new weights. Not at all.
    pub resampling: Option<Resampling>,
    /// Whether the mean of the first batch is taken off the activations while they are trained on, and folded into the weights
    /// at the end. Without this, a large mean kills latents from the start (<https://arxiv.org/abs/2605.31518>). Turn it off to
    /// train a dictionary further.
    pub centred: bool,
    /// Whether activations are scaled to the mean norm `√d` of the first batch while they are trained on, and the factor is
    /// folded into the weights at the end.
    pub scaled: bool,
    /// Seed of everything that is drawn in training.
    pub seed: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            steps: 1000,
            lr: 3e-4,
            lr_warm_up: 0,
            lr_decay: 0,
            sparsity_warm_up: 0,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: 1.0,
            decoder: DecoderRule::Free,
            dead_after: DeadAfter::Steps(1000),
            resampling: None,
            centred: true,
            scaled: false,
            seed: 0,
        }
    }
}

impl Training {
    /// So many steps: the learning rate falls over the last fifth, and both warm-ups take a twentieth.
    pub fn steps(steps: usize) -> Self {
        let warm = steps / 20;
        Self { steps, lr_warm_up: warm, sparsity_warm_up: warm, lr_decay: steps / 5, ..Self::default() }
    }

    /// Sets the learning rate.
    #[must_use]
    pub fn lr(self, lr: f64) -> Self {
        Self { lr, ..self }
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The learning rate of a step, from 0.
    pub(super) fn lr_at(&self, step: usize) -> f64 {
        let rise = warm(step, self.lr_warm_up);
        let fall = (self.steps.saturating_sub(step)) as f64 / self.lr_decay.max(1) as f64;
        self.lr * rise * if self.lr_decay == 0 { 1.0 } else { fall.min(1.0) }
    }

    /// The factor on the sparsity terms at a step, from 0.
    pub(super) fn sparsity_at(&self, step: usize) -> f64 {
        warm(step, self.sparsity_warm_up)
    }

    /// Whether dead latents are resampled after a step, from 0.
    pub(super) fn resamples_after(&self, step: usize) -> Option<Resampling> {
        self.resampling.filter(|own| (step + 1).is_multiple_of(own.every) && step < own.until)
    }

    pub(super) fn check(&self) -> Result<()> {
        let positive = [("lr", self.lr), ("clip", self.clip), ("epsilon", f64::from(self.epsilon))];
        for (name, value) in positive {
            if value.is_nan() || value <= 0.0 || (name == "lr" && value.is_infinite()) {
                return Err(refuse(format!("`{name}` is {value}; give a positive number")));
            }
        }
        if self.betas.iter().any(|beta| !(0.0..1.0).contains(beta)) {
            return Err(refuse(format!("`betas` are {:?}; give numbers from 0 to below 1", self.betas)));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(refuse(format!("`weight_decay` is {}; give 0 or more", self.weight_decay)));
        }
        if self.steps == 0 || self.resampling.is_some_and(|own| own.every == 0) {
            return Err(refuse(
                "0 steps change nothing, and 0 steps between resamplings are none; give at least 1".into(),
            ));
        }
        Ok(())
    }
}

/// From above 0 to 1 over the first `steps`.
fn warm(step: usize, steps: usize) -> f64 {
    if step >= steps { 1.0 } else { (step + 1) as f64 / (steps + 1) as f64 }
}

pub(super) fn refuse(problem: String) -> Error {
    Error::Value { of: "Training", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;

    #[test]
    fn schedules_by_hand() {
        let training = Training { lr: 1.0, lr_warm_up: 3, lr_decay: 4, sparsity_warm_up: 1, ..Training::steps(10) };
        let rates: Vec<f64> = (0..10).map(|step| training.lr_at(step)).collect();
        for (rate, expected) in rates.iter().zip([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]) {
            close(*rate, expected, 1e-12);
        }
        assert_eq!([0, 1, 9].map(|step| training.sparsity_at(step)), [0.5, 1.0, 1.0]);
        assert_eq!(Training::default().lr_at(999), 3e-4);
        let resampling = Some(Resampling { every: 3, until: 6, power: 1.0 });
        let training = Training { resampling, ..training };
        let at: Vec<usize> = (0..10).filter(|step| training.resamples_after(*step).is_some()).collect();
        assert_eq!(at, [2, 5]);
    }

    #[test]
    fn mistakes_are_named() {
        let said = |training: Training| training.check().unwrap_err().to_string();
        Training { clip: f64::INFINITY, ..Training::default() }.check().unwrap();
        assert_eq!(said(Training::default().lr(f64::NAN)), "`Training`: `lr` is NaN; give a positive number");
        assert_eq!(
            said(Training { clip: 0.0, ..Training::default() }),
            "`Training`: `clip` is 0; give a positive number"
        );
        assert_eq!(
            said(Training { betas: [0.9, 1.0], ..Training::default() }),
            "`Training`: `betas` are [0.9, 1.0]; give numbers from 0 to below 1"
        );
        assert!(said(Training::steps(0)).starts_with("`Training`: 0 steps change nothing"));
    }
}
