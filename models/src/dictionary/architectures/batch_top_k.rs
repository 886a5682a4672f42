//! Batch top-k: in training the `k` largest latents an activation are kept over the whole batch; afterwards those above
//! one threshold, the running mean of the smallest latent that was kept.
//!
//! Source: Bussmann, Leask and Nanda, <https://arxiv.org/abs/2412.06410>.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, Loss, Pre, check_k};
use super::top_k::{scaled_pre_acts, unscaled};
use crate::dictionary::aux_k::AuxK;
use crate::dictionary::loss::{Losses, term};
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::{Encoded, Pass};
use crate::dictionary::top::largest_of_all;
use crate::error::Result;

/// A batch-top-k encoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchTopK {
    /// Mean number of active latents of an activation.
    pub k: f64,
    /// Whether latents are compared as if the decoder's rows had unit length (`SAELens`). They are then in those units.
    #[serde(default)]
    pub rescale_acts_by_decoder_norm: bool,
    /// After training a latent is active above this. Negative: not known yet.
    #[serde(default)]
    pub threshold: f64,
}

/// 100 latents, rescaled, as `SAELens` trains. The threshold starts at 0.
impl Default for BatchTopK {
    fn default() -> Self {
        Self { k: 100.0, rescale_acts_by_decoder_norm: true, threshold: 0.0 }
    }
}

impl BatchTopK {
    /// The largest latents of the batch, `[rows, d_sae]`: `⌊k · rows⌋` of them, made positive.
    pub(super) fn of_batch(&self, pre_acts: Tensor<2>) -> Tensor<2> {
        let kept = (self.k * pre_acts.dims()[0] as f64) as usize;
        largest_of_all(pre_acts, kept)
    }
}

impl Encoder for BatchTopK {
    fn check(&self, d_sae: usize) -> Result<()> {
        check_k(self.k, d_sae)
    }

    fn pre(&self, parameters: &Parameters, x: Tensor<2>) -> Pre {
        Pre::plain(scaled_pre_acts(parameters, x, self.rescale_acts_by_decoder_norm))
    }

    fn activate(&self, _: &Parameters, pre: Pre) -> Tensor<2> {
        let acts = activation::relu(pre.pre_acts);
        let active = acts.clone().detach().greater_scalar(self.threshold).float();
        acts * active
    }

    fn rescaled(&self, parameters: &Parameters, acts: Tensor<2>) -> Tensor<2> {
        unscaled(parameters, acts, self.rescale_acts_by_decoder_norm)
    }
}

/// Squared error, and the dead latents' term. Terms: `mse_loss`, `auxiliary_reconstruction_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchTopKLoss {
    /// What dead latents are trained on.
    pub aux: Option<AuxK>,
}

/// `SAELens`'s term for dead latents.
impl Default for BatchTopKLoss {
    fn default() -> Self {
        Self { aux: Some(AuxK::sae_lens()) }
    }
}

impl Loss for BatchTopKLoss {
    type Of = BatchTopK;

    fn check(&self, _: &BatchTopK, _: usize) -> Result<()> {
        self.aux.as_ref().map_or(Ok(()), AuxK::check)
    }

    fn revives(&self) -> bool {
        self.aux.is_some()
    }

    fn losses(&self, of: &BatchTopK, pass: &Pass<'_>) -> Losses {
        let pass = &pass.compared(of.rescale_acts_by_decoder_norm);
        let pre_acts = pass.parameters.pre_acts(pass.x.clone());
        let acts = of.of_batch(pre_acts.clone());
        let reconstruction = pass.reconstructed(acts.clone());
        let mut terms = Vec::new();
        if let Some(aux) = &self.aux {
            terms.push(term("auxiliary_reconstruction_loss", aux.loss(pass, &pre_acts, &reconstruction)));
        }
        pass.losses(Encoded { pre_acts, acts }, reconstruction, terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::Objective;
    use crate::dictionary::testing::{batch, close, read, tiny};

    #[test]
    fn the_largest_of_the_batch_in_training_and_a_threshold_afterwards() {
        let of = BatchTopK { k: 1.0, rescale_acts_by_decoder_norm: false, threshold: 1.5 };
        let dictionary = tiny(of, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]);
        let batch = batch([[3.0, 2.0], [1.0, -5.0]]);
        let losses = dictionary.losses(&Objective::from(BatchTopKLoss::default()), &batch).unwrap();
        close(&read(losses.acts), &[3.0, 2.0, 0.0, 0.0]);
        close(&read(dictionary.encode(batch.x).unwrap()), &[3.0, 2.0, 0.0, 0.0]);
        close(&read(dictionary.encode(crate::dictionary::testing::batch([[1.5, 1.6]]).x).unwrap()), &[0.0, 1.6]);
    }
}
