//! The term that revives dead latents: those with the largest pre-activations predict what the others leave over.
//!
//! `e = stop(x - x̂)`; of the dead latents the `k_aux` largest write `ê = z W_dec`. `b_dec` is not in `ê`: it is in `x̂`
//! already. Source: Gao et al., <https://arxiv.org/abs/2406.04093>, A.2. The constructors have the conventions of four
//! libraries.

use burn::tensor::{Bool, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::loss::{squared_error, variance};
use super::pass::Pass;
use super::top::top_mask;
use crate::error::{Error, Result};

/// What dead latents are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuxK {
    /// `α`, its factor.
    pub coefficient: f64,
    /// How many dead latents take part; half the width of the target if it is not said.
    pub k: Option<usize>,
    /// Whether negative pre-activations count as 0.
    pub positive: bool,
    /// Whether the term is multiplied by `dead / k_aux` while fewer than `k_aux` are dead.
    pub scaled_by_dead: bool,
    /// What the squared error is divided by.
    pub scale: AuxScale,
}

/// What the squared error of the residual is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuxScale {
    /// Nothing.
    None,
    /// The variance of the residual; 0 / 0 is 0.
    Residual,
    /// The variance of the target.
    Target,
}

impl AuxK {
    /// `SAELens`: a coefficient of 1, half the width, no scale; negative pre-activations take part.
    pub fn sae_lens() -> Self {
        Self { coefficient: 1.0, k: None, positive: false, scaled_by_dead: true, scale: AuxScale::None }
    }

    /// `dictionary_learning`: 1/32 of the error over the residual's variance.
    pub fn dictionary_learning() -> Self {
        Self { coefficient: 1.0 / 32.0, k: None, positive: true, scaled_by_dead: false, scale: AuxScale::Residual }
    }

    /// `OpenAI`'s paper: as `dictionary_learning`, with 512 latents (256 in its code).
    pub fn open_ai() -> Self {
        Self { k: Some(512), ..Self::dictionary_learning() }
    }

    /// sparsify, with the coefficient that it calls `auxk_alpha`: over the target's variance. sparsify adds `b_dec` to
    /// `ê`, which the residual has already lost; this does not.
    pub fn sparsify(coefficient: f64) -> Self {
        Self { coefficient, k: None, positive: true, scaled_by_dead: true, scale: AuxScale::Target }
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |setting, value: String, fix: &str| Err(Error::Setting { setting, value, fix: fix.into() });
        if !(self.coefficient.is_finite() && self.coefficient >= 0.0) {
            return wrong("coefficient", self.coefficient.to_string(), "give a finite number from 0");
        }
        if self.k == Some(0) {
            return wrong("k", "0".into(), "no latent would be revived; give at least 1, or leave the term out");
        }
        Ok(())
    }

    /// The term `[1]`, from pre-activations `[rows, d_sae]` in the units of the decoder.
    pub(super) fn loss(&self, pass: &Pass<'_>, pre_acts: &Tensor<2>, reconstruction: &Tensor<2>) -> Tensor<1> {
        let residual = (pass.target.clone() - reconstruction.clone()).detach();
        self.of_residual(pass, pass.dead, pre_acts, residual, |acts| pass.parameters.written(acts))
    }

    /// The same for latents of which only some are looked at, which `write` writes, `[rows, d_out]`.
    pub(super) fn of_residual(
        &self,
        pass: &Pass<'_>,
        dead: &[bool],
        pre_acts: &Tensor<2>,
        residual: Tensor<2>,
        write: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<1> {
        let count = dead.iter().filter(|dead| **dead).count();
        let most = self.k.unwrap_or(residual.dims()[1] / 2);
        let k = most.min(count);
        if k == 0 {
            return Tensor::zeros([1], &pre_acts.device());
        }
        let scale = if self.scaled_by_dead { (count as f64 / most as f64).min(1.0) } else { 1.0 };
        let acts = if self.positive { activation::relu(pre_acts.clone()) } else { pre_acts.clone() };
        let acts = acts.clone() * top_mask(silenced(acts, dead), k);
        let error = squared_error(write(acts), residual.clone());
        self.divided(error, pass, residual) * (self.coefficient * scale)
    }

    fn divided(&self, error: Tensor<1>, pass: &Pass<'_>, residual: Tensor<2>) -> Tensor<1> {
        match self.scale {
            AuxScale::None => error,
            AuxScale::Target => error / variance(pass.target.clone()),
            AuxScale::Residual => {
                let divided = error / variance(residual);
                let none = divided.clone().is_nan();
                divided.mask_fill(none, 0.0)
            }
        }
    }
}

/// Negative infinity where a latent is alive.
fn silenced(acts: Tensor<2>, dead: &[bool]) -> Tensor<2> {
    let alive: Vec<bool> = dead.iter().map(|dead| !dead).collect();
    let alive = Tensor::<2, Bool>::from_data(TensorData::new(alive, [1, dead.len()]), &acts.device());
    let dims = acts.dims();
    acts.detach().mask_fill(alive.expand(dims), f32::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::Device;

    use super::*;
    use crate::dictionary::Objective;
    use crate::dictionary::architectures::{TopK, TopKLoss};
    use crate::dictionary::testing::{batch, close, read, tiny};

    /// sparsify adds `b_dec` to `ê`, though the residual has lost it already: silent latents would predict `b_dec`.
    #[test]
    fn dead_latents_that_are_silent_write_nothing() {
        let of = TopK { k: 1, rescale_acts_by_decoder_norm: false };
        let mut dictionary = tiny(of, [[1.0, 0.0], [0.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]);
        dictionary.b_dec = Param::from_tensor(Tensor::from_floats([0.0, 5.0], &Device::flex()));
        // Centred: (3, 1) and (5, 1). The first latent leaves (0, 1) over, and the second, which is dead, is at -1.
        let batch = batch([[3.0, 6.0], [5.0, 6.0]]);
        let objective = Objective::from(TopKLoss { aux: Some(AuxK::sparsify(0.5)), ..TopKLoss::default() });
        let losses = dictionary.losses(&objective, &batch.dead(&[false, true])).unwrap();
        // A squared error of 1 over a variance of 1; 16 with `b_dec`.
        close(&read(losses.term("auxiliary_reconstruction_loss").unwrap().clone()), &[0.5]);
    }
}
