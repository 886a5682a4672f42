//! Top-k: the `k` largest latents of each activation are kept, then made positive.
//!
//! Making them positive first gives the same latents, so `OpenAI`'s and `SAELens`'s order and that of
//! `dictionary_learning` and sparsify are one here. Source: Gao et al., <https://arxiv.org/abs/2406.04093>.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, Loss, Pre, check_k};
use crate::dictionary::aux_k::AuxK;
use crate::dictionary::loss::{Losses, normalised_error, row, squared_error, term, variance};
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::{Encoded, Pass};
use crate::dictionary::top::largest_of_row;
use crate::error::{Error, Result};

/// A top-k encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopK {
    /// Number of latents that may be active for an activation.
    pub k: usize,
    /// Whether latents are compared as if the decoder's rows had unit length (`SAELens`). They are then in those units.
    #[serde(default)]
    pub rescale_acts_by_decoder_norm: bool,
}

/// 100 latents, not rescaled, as in `SAELens`.
impl Default for TopK {
    fn default() -> Self {
        Self { k: 100, rescale_acts_by_decoder_norm: false }
    }
}

impl Encoder for TopK {
    fn check(&self, d_sae: usize) -> Result<()> {
        check_k(self.k as f64, d_sae)
    }

    fn pre(&self, parameters: &Parameters, x: Tensor<2>) -> Pre {
        Pre::plain(scaled_pre_acts(parameters, x, self.rescale_acts_by_decoder_norm))
    }

    fn activate(&self, _: &Parameters, pre: Pre) -> Tensor<2> {
        largest_of_row(pre.pre_acts, self.k)
    }

    fn rescaled(&self, parameters: &Parameters, acts: Tensor<2>) -> Tensor<2> {
        unscaled(parameters, acts, self.rescale_acts_by_decoder_norm)
    }
}

/// The encoder's output, times the decoder's norms if asked.
pub(super) fn scaled_pre_acts(parameters: &Parameters, x: Tensor<2>, by_decoder_norm: bool) -> Tensor<2> {
    let pre_acts = parameters.pre_acts(x);
    if by_decoder_norm { pre_acts * row(parameters.decoder_norms()) } else { pre_acts }
}

/// Latents in the units of the decoder.
pub(super) fn unscaled(parameters: &Parameters, acts: Tensor<2>, by_decoder_norm: bool) -> Tensor<2> {
    if by_decoder_norm { acts / row(parameters.decoder_norms()) } else { acts }
}

/// An error of the reconstruction, and one of the dead latents'. Terms: `mse_loss`, `auxiliary_reconstruction_loss`,
/// `multi_topk_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopKLoss {
    /// How the reconstruction is compared.
    pub reconstruction: Reconstruction,
    /// What dead latents are trained on.
    pub aux: Option<AuxK>,
    /// Factor of the same error with `4k` latents (sparsify: 1/8); 0 leaves it out.
    pub multi_topk: f64,
}

/// How a reconstruction is compared with its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconstruction {
    /// The squared distance, averaged over rows (`SAELens`, `dictionary_learning`).
    #[default]
    Squared,
    /// The squared distance divided by the target's squared length, averaged over rows (`OpenAI`).
    Normalised,
    /// The sum of squared distances divided by that to the mean target: the fraction of variance unexplained (sparsify).
    Unexplained,
}

impl Reconstruction {
    fn error(self, reconstruction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Squared => squared_error(reconstruction, target),
            Self::Normalised => normalised_error(reconstruction, target),
            Self::Unexplained => squared_error(reconstruction, target.clone()) / variance(target),
        }
    }
}

/// The squared error and `SAELens`'s term for dead latents.
impl Default for TopKLoss {
    fn default() -> Self {
        Self { reconstruction: Reconstruction::Squared, aux: Some(AuxK::sae_lens()), multi_topk: 0.0 }
    }
}

impl Loss for TopKLoss {
    type Of = TopK;

    fn check(&self, of: &TopK, d_sae: usize) -> Result<()> {
        super::encoder::check_coefficient("multi_topk", self.multi_topk)?;
        if self.multi_topk > 0.0 && 4 * of.k > d_sae {
            let fix = format!("it keeps {} latents, there are {d_sae}; set it to 0, or take a smaller `k`", 4 * of.k);
            return Err(Error::Setting { setting: "multi_topk", value: self.multi_topk.to_string(), fix });
        }
        self.aux.as_ref().map_or(Ok(()), AuxK::check)
    }

    fn revives(&self) -> bool {
        self.aux.is_some()
    }

    fn losses(&self, of: &TopK, pass: &Pass<'_>) -> Losses {
        let pass = &pass.compared(of.rescale_acts_by_decoder_norm);
        let pre_acts = pass.parameters.pre_acts(pass.x.clone());
        let acts = largest_of_row(pre_acts.clone(), of.k);
        let reconstruction = pass.reconstructed(acts.clone());
        let mut terms = vec![term("mse_loss", self.reconstruction.error(reconstruction.clone(), pass.target.clone()))];
        if let Some(aux) = &self.aux {
            terms.push(term("auxiliary_reconstruction_loss", aux.loss(pass, &pre_acts, &reconstruction)));
        }
        if self.multi_topk > 0.0 {
            let more = pass.reconstructed(largest_of_row(pre_acts.clone(), 4 * of.k));
            terms.push(term("multi_topk_loss", self.reconstruction.error(more, pass.target.clone()) * self.multi_topk));
        }
        Encoded { pre_acts, acts }.losses(reconstruction, terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::testing::{batch, close, read, tiny};

    #[test]
    fn the_largest_by_hand() {
        let directions = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]];
        let decoder = [[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]];
        let of = |rescale| TopK { k: 1, rescale_acts_by_decoder_norm: rescale };
        let plain = tiny(of(false), directions, decoder);
        let acts = read(plain.encode(batch([[2.0, 1.0], [-1.0, -2.0]]).x).unwrap());
        close(&acts, &[0.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        // Times the norms 1, 3 and √2: [2, 3, 4.2] and, of the second row, [0.5, 4.5, 2.8].
        let rescaled = tiny(of(true), directions, decoder);
        let x = batch([[2.0, 1.0], [0.5, 1.5]]).x;
        close(&read(rescaled.encode(x.clone()).unwrap()), &[0.0, 0.0, 3.0 * 2.0_f32.sqrt(), 0.0, 4.5, 0.0]);
        close(&read(rescaled.apply(x).unwrap()), &[3.0, 3.0, 0.0, 4.5]);
    }

    #[test]
    fn more_latents_than_there_are_are_refused() {
        let loss = TopKLoss { multi_topk: 0.125, ..TopKLoss::default() };
        let error = loss.check(&TopK { k: 3, ..TopK::default() }, 8).unwrap_err().to_string();
        assert_eq!(
            error,
            "`multi_topk` is 0.125: it keeps 12 latents, there are 8; set it to 0, or take a smaller `k`"
        );
    }
}
