//! The standard sparse autoencoder: `f = ReLU(x W_enc + b_enc)`, `x̂ = f W_dec + b_dec`.
//!
//! Sources: Bricken et al., "Towards Monosemanticity" (2023), with the penalty `λ‖f‖₁` and decoder rows of unit length;
//! Anthropic's update of April 2024, with `λ Σ fᵢ‖W_dec,i‖`; Gao et al., <https://arxiv.org/abs/2406.04093>, for the
//! normalised terms; Karvonen et al., <https://arxiv.org/abs/2408.00113>, for the annealed power.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, Loss, Pre, check_coefficient, check_positive};
use crate::dictionary::loss::{Losses, mean_of_sums, normalised_error, row, term};
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::{Encoded, Pass};
use crate::dictionary::top::positive;
use crate::error::Result;

/// A standard encoder. It has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standard;

impl Encoder for Standard {
    fn activate(&self, _: &Parameters, pre: Pre) -> Tensor<2> {
        positive(pre.pre_acts)
    }
}

/// Squared error and a penalty on the sizes of latents. Terms: `mse_loss`, `l1_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandardLoss {
    /// `λ`, the factor of the penalty.
    pub coefficient: f64,
    /// What is penalised.
    pub penalty: Penalty,
}

/// What makes latents few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// The p-norm of `fᵢ‖W_dec,i‖` over the latents; 1 by default (`SAELens`).
    DecoderNorm {
        /// The power.
        p: f64,
    },
    /// `‖f‖₁`: keep the decoder's rows at unit length, or the latents shrink and the rows grow (`dictionary_learning`).
    L1,
    /// `Σ fᵢᵖ`, or its p-th root: with `p` lowered from 1 in training, p-annealing.
    Power {
        /// The power.
        p: f64,
        /// Whether its root is taken.
        root: bool,
    },
    /// `‖f‖₁ / ‖x‖₂`, with the squared error divided by `‖x‖²` (`OpenAI`).
    Normalised,
}

/// `λ = 1`, with decoder norms, as in `SAELens`.
impl Default for StandardLoss {
    fn default() -> Self {
        Self { coefficient: 1.0, penalty: Penalty::DecoderNorm { p: 1.0 } }
    }
}

impl Loss for StandardLoss {
    type Of = Standard;

    fn check(&self, _: &Standard, _: usize) -> Result<()> {
        check_coefficient("coefficient", self.coefficient)?;
        match self.penalty {
            Penalty::DecoderNorm { p } | Penalty::Power { p, .. } => check_positive("p", p),
            Penalty::L1 | Penalty::Normalised => Ok(()),
        }
    }

    fn losses(&self, of: &Standard, pass: &Pass<'_>) -> Losses {
        let pre_acts = of.pre(&pass.parameters, pass.x.clone());
        let acts = of.activate(&pass.parameters, pre_acts.clone());
        let reconstruction = pass.reconstructed(acts.clone());
        let penalty = self.penalty(&acts, pass) * (self.coefficient * pass.warm_up);
        let encoded = Encoded { pre_acts: pre_acts.pre_acts, acts };
        if self.penalty != Penalty::Normalised {
            return pass.losses(encoded, reconstruction, vec![term("l1_loss", penalty)]);
        }
        let error = normalised_error(reconstruction.clone(), pass.target.clone());
        encoded.losses(reconstruction, vec![term("mse_loss", error), term("l1_loss", penalty)])
    }
}

impl StandardLoss {
    /// The penalty without its coefficient, `[1]`.
    fn penalty(&self, acts: &Tensor<2>, pass: &Pass<'_>) -> Tensor<1> {
        let acts = acts.clone();
        match self.penalty {
            // Summed over rows first: the products are then as many as latents.
            Penalty::DecoderNorm { p: 1.0 } => {
                let rows = acts.dims()[0] as f64;
                (acts.sum_dim(0) * row(pass.decoder_norms())).sum() / rows
            }
            Penalty::DecoderNorm { p } => power(acts * row(pass.decoder_norms()), p, true),
            Penalty::L1 => mean_of_sums(acts),
            Penalty::Power { p, root } => power(acts, p, root),
            Penalty::Normalised => {
                let size = pass.x.clone().square().sum_dim(1).sqrt();
                mean_of_sums(acts.sum_dim(1) / size)
            }
        }
    }
}

/// Mean over rows of `Σ fᵢᵖ` or its p-th root. Numbers that are zero have no gradient, though the power's is infinite there.
pub(in crate::dictionary) fn power(acts: Tensor<2>, p: f64, root: bool) -> Tensor<1> {
    if p == 1.0 {
        return mean_of_sums(acts);
    }
    let sums = raised(acts, p).sum_dim(1);
    mean_of_sums(if root { raised(sums, 1.0 / p) } else { sums })
}

/// `xᵖ` where `x > 0`, and 0 elsewhere.
fn raised(x: Tensor<2>, p: f64) -> Tensor<2> {
    let zero = x.clone().detach().lower_equal_scalar(0.0);
    x.mask_fill(zero.clone(), 1.0).powf_scalar(p).mask_fill(zero, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::Objective;
    use crate::dictionary::testing::{batch, close, tiny};

    #[test]
    fn every_penalty_by_hand() {
        // Latents 2 and 0; x̂ = [2, 0]; decoder norms 1 and 2.
        let dictionary = tiny(Standard, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0]]);
        let batch = batch([[2.0, -1.0]]);
        let of = |penalty| {
            let objective = Objective::from(StandardLoss { coefficient: 3.0, penalty });
            let losses = dictionary.losses(&objective, &batch.clone().warmed_up(0.5)).unwrap();
            let value = |name: &str| crate::device::read(losses.term(name).unwrap().clone()).unwrap()[0];
            [value("mse_loss"), value("l1_loss")]
        };
        close(&of(Penalty::DecoderNorm { p: 1.0 }), &[1.0, 3.0]);
        close(&of(Penalty::DecoderNorm { p: 2.0 }), &[1.0, 3.0]);
        close(&of(Penalty::L1), &[1.0, 3.0]);
        close(&of(Penalty::Power { p: 0.5, root: false }), &[1.0, 1.5 * 2.0_f32.sqrt()]);
        close(&of(Penalty::Power { p: 0.5, root: true }), &[1.0, 3.0]);
        close(&of(Penalty::Normalised), &[0.2, 1.5 * 2.0 / 5.0_f32.sqrt()]);
    }

    #[test]
    fn a_power_below_one_has_no_gradient_where_latents_are_silent() {
        let device = burn::tensor::Device::flex().autodiff();
        let acts = Tensor::<2>::from_floats([[0.0, 4.0], [0.0, 0.0]], &device).require_grad();
        let gradients = power(acts.clone(), 0.5, true).backward();
        // Of (√4)² / 2 rows: d/df (√f)² = 1.
        close(&crate::device::read(acts.grad(&gradients).unwrap()).unwrap(), &[0.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn settings_that_are_not_valid_are_refused() {
        let said = |loss: StandardLoss| loss.check(&Standard, 8).unwrap_err().to_string();
        let negative = StandardLoss { coefficient: -1.0, ..StandardLoss::default() };
        assert_eq!(said(negative), "`coefficient` is -1: give a finite number from 0");
        let power = StandardLoss { penalty: Penalty::Power { p: 0.0, root: true }, ..StandardLoss::default() };
        assert_eq!(said(power), "`p` is 0: give a finite number above 0");
    }
}
