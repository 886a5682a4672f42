//! `JumpReLU`: a latent is active above a threshold of its own, which is learnt: `f = z 1[z > θ]`.
//!
//! Sources: Rajamanoharan et al., <https://arxiv.org/abs/2407.14435> (step); Anthropic's update of January 2025 (tanh, and
//! the term for dead latents); Gemma Scope 2 (quadratic). The threshold itself is a parameter, not its logarithm, which
//! Adam hardly moves: project it with [`Dictionary::project_threshold`](crate::dictionary::Dictionary::project_threshold)
//! after each step.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, Loss, Parts, Pre, check_coefficient, check_positive};
use crate::dictionary::loss::{Losses, Term, mean_of_sums, row, term};
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::{Encoded, Pass};
use crate::dictionary::straight_through::{Estimator, above};
use crate::error::{Error, Result};
use crate::kernels::Slopes;

/// A `JumpReLU` encoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JumpRelu {
    /// Where the thresholds start.
    #[serde(default = "initial")]
    pub initial_threshold: f32,
}

fn initial() -> f32 {
    JumpRelu::default().initial_threshold
}

/// Thresholds start at 0.01, as in `SAELens`.
impl Default for JumpRelu {
    fn default() -> Self {
        Self { initial_threshold: 0.01 }
    }
}

impl Encoder for JumpRelu {
    fn parts(&self) -> Parts {
        Parts { threshold: Some(self.initial_threshold), ..Parts::default() }
    }

    /// `ReLU(z) 1[z > θ]`: a threshold below zero lets no negative latent through.
    fn activate(&self, parameters: &Parameters, pre: Pre) -> Tensor<2> {
        let active = above(&pre.pre_acts, threshold(parameters));
        activation::relu(pre.pre_acts) * active
    }
}

fn threshold(parameters: &Parameters) -> &Tensor<1> {
    parameters.threshold.as_ref().expect("BUG: the shapes were checked")
}

/// Squared error and a penalty on the number of active latents. Terms: `mse_loss`, `l0_loss`, `pre_act_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JumpReluLoss {
    /// `λ`, the factor of the penalty.
    pub coefficient: f64,
    /// What is penalised.
    pub sparsity: Sparsity,
    /// `ε`, the width over which a step has a gradient.
    pub bandwidth: f64,
    /// Whether that gradient also moves the encoder, as in Anthropic's setup; `DeepMind` moves the threshold alone.
    pub to_input: bool,
    /// Factor of `Σ ReLU(θ - z)‖W_dec‖` over dead latents (Anthropic: 3e-6); 0 leaves it out.
    pub pre_act: f64,
}

/// How active latents are counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sparsity {
    /// Their number, `L0`.
    Step,
    /// `Σ tanh(c fᵢ‖W_dec,i‖)`.
    Tanh {
        /// `c`.
        scale: f64,
    },
    /// `(2 / L0*)(L0 - L0*)²` of each activation (Gemma Scope 2).
    Quadratic {
        /// `L0*`.
        target_l0: f64,
    },
    /// `(L0 / L0* - 1)²` of the mean `L0` of the batch (`dictionary_learning`).
    QuadraticOfMean {
        /// `L0*`.
        target_l0: f64,
    },
}

/// `λ = 1` and `ε = 0.05`, on the number of active latents, as in `SAELens`.
impl Default for JumpReluLoss {
    fn default() -> Self {
        Self { coefficient: 1.0, sparsity: Sparsity::Step, bandwidth: 0.05, to_input: false, pre_act: 0.0 }
    }
}

impl Loss for JumpReluLoss {
    type Of = JumpRelu;

    fn check(&self, _: &JumpRelu, d_sae: usize) -> Result<()> {
        check_coefficient("coefficient", self.coefficient)?;
        check_coefficient("pre_act", self.pre_act)?;
        check_positive("bandwidth", self.bandwidth)?;
        match self.sparsity {
            Sparsity::Step => Ok(()),
            Sparsity::Tanh { scale } => check_positive("scale", scale),
            Sparsity::Quadratic { target_l0 } | Sparsity::QuadraticOfMean { target_l0 } => {
                check_positive("target_l0", target_l0)?;
                if target_l0 <= d_sae as f64 {
                    return Ok(());
                }
                let fix = format!("there are {d_sae} latents; aim at fewer");
                Err(Error::Setting { setting: "target_l0", value: target_l0.to_string(), fix })
            }
        }
    }

    fn losses(&self, of: &JumpRelu, pass: &Pass<'_>) -> Losses {
        let Pre { pre_acts, .. } = of.pre(&pass.parameters, pass.x.clone());
        let acts = self.estimator().jump_relu(&pre_acts, threshold(&pass.parameters));
        // Just below its threshold a latent is zero, and has a gradient.
        let reconstruction = pass.reconstructed_by(acts.clone(), Slopes::All);
        let mut terms = vec![term("l0_loss", self.penalty(&pre_acts, &acts, pass) * (self.coefficient * pass.warm_up))];
        terms.extend(self.revived(&pre_acts, pass));
        pass.losses(Encoded { pre_acts, acts }, reconstruction, terms)
    }
}

impl JumpReluLoss {
    fn estimator(&self) -> Estimator {
        Estimator { bandwidth: self.bandwidth, to_input: self.to_input }
    }

    /// The penalty without its coefficient, `[1]`.
    fn penalty(&self, pre_acts: &Tensor<2>, acts: &Tensor<2>, pass: &Pass<'_>) -> Tensor<1> {
        let l0 = || self.estimator().step(pre_acts, threshold(&pass.parameters)).sum_dim(1);
        match self.sparsity {
            Sparsity::Step => mean_of_sums(l0()),
            Sparsity::Tanh { scale } => mean_of_sums((acts.clone() * row(pass.decoder_norms()) * scale).tanh()),
            Sparsity::Quadratic { target_l0 } => mean_of_sums((l0() - target_l0).square()) * (2.0 / target_l0),
            Sparsity::QuadraticOfMean { target_l0 } => (mean_of_sums(l0()) / target_l0 - 1.0).square(),
        }
    }

    /// Lifts the pre-activations of dead latents to their thresholds.
    fn revived(&self, pre_acts: &Tensor<2>, pass: &Pass<'_>) -> Option<Term> {
        if self.pre_act == 0.0 {
            return None;
        }
        let dead: Vec<f32> = pass.dead.iter().map(|dead| f32::from(u8::from(*dead))).collect();
        let value = if pass.dead_count() == 0 {
            Tensor::zeros([1], &pre_acts.device())
        } else {
            let weights = Tensor::<1>::from_floats(dead.as_slice(), &pre_acts.device()) * pass.decoder_norms();
            let below = activation::relu(row(threshold(&pass.parameters).clone()) - pre_acts.clone());
            mean_of_sums(below * row(weights)) * self.pre_act
        };
        Some(term("pre_act_loss", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::testing::{batch, close, read, tiny, tracked};
    use crate::dictionary::{Batch, Objective};

    fn dictionary() -> crate::dictionary::Dictionary {
        tiny(JumpRelu { initial_threshold: 1.0 }, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0]])
    }

    fn value(loss: JumpReluLoss, name: &str) -> f32 {
        let batch = batch([[2.0, 0.5], [1.5, 3.0]]);
        let losses = dictionary().losses(&Objective::from(loss), &batch.dead(&[false, true])).unwrap();
        read(losses.term(name).unwrap().clone())[0]
    }

    #[test]
    fn every_penalty_by_hand() {
        // Active: the first of row 1, both of row 2.
        let plain = JumpReluLoss { coefficient: 2.0, ..JumpReluLoss::default() };
        let of = |sparsity| value(JumpReluLoss { sparsity, ..plain }, "l0_loss");
        close(&[of(Sparsity::Step)], &[2.0 * 1.5]);
        let tanh = |x: f32| (0.1 * x).tanh();
        close(&[of(Sparsity::Tanh { scale: 0.1 })], &[tanh(2.0) + tanh(1.5) + tanh(6.0)]);
        close(&[of(Sparsity::Quadratic { target_l0: 1.0 })], &[2.0 * 2.0 * 0.5]);
        close(&[of(Sparsity::QuadraticOfMean { target_l0: 1.0 })], &[2.0 * 0.25]);
        // Of the dead latent, row 1 is 0.5 below; its decoder norm is 2.
        close(&[value(JumpReluLoss { pre_act: 3.0, ..plain }, "pre_act_loss")], &[3.0 * 0.5 * 2.0 / 2.0]);
    }

    /// `dictionary_learning` counts latents that the threshold has already cut (its issue 55), and so has no gradient
    /// just below it. Here it is the slope of the loss with the step replaced by its ramp.
    #[test]
    fn the_gradient_at_the_threshold_is_that_of_the_ramp() {
        let (below, width) = (0.9, 0.5);
        let dictionary = tracked(dictionary());
        let x = Tensor::from_floats([[below, -4.0]], &burn::tensor::Device::flex().autodiff());
        let loss = JumpReluLoss { bandwidth: width, ..JumpReluLoss::default() };
        let losses = dictionary.losses(&Objective::from(loss), &Batch::of(x)).unwrap();
        let gradients = losses.term("l0_loss").unwrap().backward();
        let found = read(dictionary.threshold.as_ref().unwrap().val().grad(&gradients).unwrap());
        let ramp = |threshold: f64| ((f64::from(below as f32) - threshold) / width + 0.5).clamp(0.0, 1.0);
        let slope = (ramp(1.01) - ramp(0.99)) / 0.02;
        close(&found, &[slope as f32, 0.0]);
    }

    #[test]
    fn a_target_beyond_the_latents_is_refused() {
        let loss = JumpReluLoss { sparsity: Sparsity::Quadratic { target_l0: 9.0 }, ..JumpReluLoss::default() };
        let error = loss.check(&JumpRelu::default(), 8).unwrap_err().to_string();
        assert_eq!(error, "`target_l0` is 9: there are 8 latents; aim at fewer");
    }
}
