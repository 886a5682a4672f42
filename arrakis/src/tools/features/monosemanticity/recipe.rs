//! What a dictionary is made of, in few words.

use arrakis_models::dictionary::architectures::{BatchTopK, JumpRelu, Standard, StandardLoss, TopK};
use arrakis_models::dictionary::{Architecture, Objective};
use serde::{Deserialize, Serialize};

use crate::dictionary::train::Training;

/// How [`Monosemanticity::train`](super::Monosemanticity::train) makes a dictionary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DictionaryRecipe {
    /// What the encoder computes.
    pub architecture: Architecture,
    /// What it is trained on; the architecture's own objective if `None`.
    pub objective: Option<Objective>,
    /// Number of latents; four times the width of the site if `None`.
    pub latents: Option<usize>,
    /// Steps, learning rate, schedules and seed.
    pub training: Training,
    /// Tokens a step.
    pub batch: usize,
    /// Bytes of activations that are held at a time.
    pub bytes: u64,
    /// Tokens at the start of each window that are left out; see [`Pass::skip_first`](crate::corpus::Pass::skip_first).
    pub skip_first: usize,
}

impl DictionaryRecipe {
    /// An architecture with its own objective: 1000 steps of 1024 tokens with learning rate 1e-3.
    pub fn new(architecture: impl Into<Architecture>) -> Self {
        Self {
            architecture: architecture.into(),
            objective: None,
            latents: None,
            training: Training::steps(1000).lr(1e-3),
            batch: 1024,
            bytes: 256_000_000,
            skip_first: 0,
        }
    }

    /// The `k` largest latents of each token.
    pub fn top_k(k: usize) -> Self {
        Self::new(TopK { k, ..TopK::default() })
    }

    /// The `k` largest latents a token over each batch, and then one threshold.
    pub fn batch_top_k(k: f64) -> Self {
        Self::new(BatchTopK { k, ..BatchTopK::default() })
    }

    /// `ReLU` latents with a penalty.
    pub fn standard(coefficient: f64) -> Self {
        let objective = StandardLoss { coefficient, ..StandardLoss::default() };
        Self { objective: Some(objective.into()), ..Self::new(Standard) }
    }

    /// A threshold for each latent, which is learnt.
    pub fn jump_relu() -> Self {
        Self::new(JumpRelu::default())
    }

    /// Sets the number of latents.
    #[must_use]
    pub fn latents(self, latents: usize) -> Self {
        Self { latents: Some(latents), ..self }
    }

    /// Sets the number of steps, with the schedules of [`Training::steps`].
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        let training = Training { lr: self.training.lr, seed: self.training.seed, ..Training::steps(steps) };
        Self { training, ..self }
    }

    /// Sets the learning rate.
    #[must_use]
    pub fn lr(self, lr: f64) -> Self {
        Self { training: self.training.lr(lr), ..self }
    }

    /// Sets the seed of the first weights, of the order of the activations, and of what is drawn in training.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { training: self.training.seed(seed), ..self }
    }

    /// Sets the tokens of a step.
    #[must_use]
    pub fn batch(self, tokens: usize) -> Self {
        Self { batch: tokens, ..self }
    }
}
