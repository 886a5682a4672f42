//! Batches of training text. Each row is one document of one task, drawn from a seed and a step.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::document::Document;
use super::{N_CTX, greater_than, induction, name_mover, plain};

/// How many rows in a hundred each task gets; the remaining rows are plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mixture {
    /// Rows of [`induction`].
    pub induction: u32,
    /// Rows of [`name_mover`].
    pub name_mover: u32,
    /// Rows of [`greater_than`].
    pub greater_than: u32,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { induction: 35, name_mover: 40, greater_than: 15 }
    }
}

impl Mixture {
    /// Draws one document; the shares are cumulative, so a share beyond a hundred is not used.
    fn document(&self, rng: &mut impl Rng) -> Document {
        let induction = self.induction;
        let name_mover = induction.saturating_add(self.name_mover);
        let greater_than = name_mover.saturating_add(self.greater_than);
        match rng.random_range(0..100) {
            place if place < induction => induction::document(rng),
            place if place < name_mover => name_mover::document(rng),
            place if place < greater_than => greater_than::document(rng),
            _ => plain::document(rng),
        }
    }
}

/// The input of one training step; all three lists are `[batch, pos]` with `N_CTX` positions per row.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Token ids; `<|endoftext|>` is first, and fills the positions after the text.
    pub tokens: Vec<Vec<u32>>,
    /// `targets[b][p]` is the token after `tokens[b][p]`.
    pub targets: Vec<Vec<u32>>,
    /// Weight of the prediction at each position: 1 if the text determines it, less elsewhere, 0 after the end.
    pub loss_mask: Vec<Vec<f32>>,
}

impl Batch {
    /// Without rows.
    fn empty() -> Self {
        Self { tokens: Vec::new(), targets: Vec::new(), loss_mask: Vec::new() }
    }

    /// Adds `rows` documents, the same for the same seed and step.
    pub(super) fn draw(&mut self, rows: usize, seed: u64, step: u64, document: impl Fn(&mut ChaCha8Rng) -> Document) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step);
        for _ in 0..rows {
            let document = document(&mut rng);
            self.tokens.push(document.tokens[..N_CTX].to_vec());
            self.targets.push(document.tokens[1..].to_vec());
            self.loss_mask.push(document.weights[1..].to_vec());
        }
    }
}

/// The text of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recipe {
    /// Seed of all the text.
    pub seed: u64,
    /// Rows in a batch.
    pub batch: usize,
    /// Shares of the tasks.
    pub mixture: Mixture,
}

impl Recipe {
    /// The batch of one step. It depends only on the recipe and the step.
    pub fn batch(&self, step: u64) -> Batch {
        let mut batch = Batch::empty();
        batch.draw(self.batch, self.seed, step, |rng| self.mixture.document(rng));
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::vocab;
    use super::*;

    const RECIPE: Recipe =
        Recipe { seed: 3, batch: 64, mixture: Mixture { induction: 35, name_mover: 40, greater_than: 15 } };

    #[test]
    fn a_step_gives_the_same_batch_and_another_step_another() {
        assert_eq!(RECIPE.batch(5), RECIPE.batch(5));
        assert_ne!(RECIPE.batch(5), RECIPE.batch(6));
        assert_ne!(RECIPE.batch(5), Recipe { seed: 4, ..RECIPE }.batch(5));
    }

    #[test]
    fn rows_have_one_length_and_targets_are_the_next_tokens() {
        let batch = RECIPE.batch(0);
        assert_eq!((batch.tokens.len(), batch.targets.len(), batch.loss_mask.len()), (64, 64, 64));
        for ((tokens, targets), mask) in batch.tokens.iter().zip(&batch.targets).zip(&batch.loss_mask) {
            assert_eq!((tokens.len(), targets.len(), mask.len()), (N_CTX, N_CTX, N_CTX));
            assert_eq!(tokens[1..], targets[..N_CTX - 1]);
            assert_eq!(tokens[0], vocab::END_OF_TEXT_ID);
            assert!(!tokens.contains(&vocab::UNKNOWN_ID));
            assert!(mask.iter().all(|weight| (0.0..=1.0).contains(weight)));
            assert!(mask.iter().sum::<f32>() > 0.5);
        }
    }

    #[test]
    fn one_task_can_have_every_row() {
        let years = Mixture { induction: 0, name_mover: 0, greater_than: 100 };
        let batch = Recipe { mixture: years, ..RECIPE }.batch(0);
        let lasted = vocab::id(" lasted").unwrap();
        assert!(batch.tokens.iter().all(|row| row.contains(&lasted)));
    }

    #[test]
    fn every_token_is_learned_as_input_and_as_target() {
        let batches: Vec<Batch> = (0..60).map(|step| RECIPE.batch(step)).collect();
        let seen: BTreeSet<u32> = batches.iter().flat_map(|batch| &batch.tokens).flatten().copied().collect();
        let missing: Vec<&String> = (2..vocab::tokens().len() as u32)
            .filter(|id| !seen.contains(id))
            .map(|id| &vocab::tokens()[id as usize])
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
