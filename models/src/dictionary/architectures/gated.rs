//! The gated sparse autoencoder: `π = (x - b_dec) W_enc + b_gate`, `f = 1[π > 0] ReLU((x - b_dec)(W_enc e^r) + b_mag)`.
//!
//! Source: Rajamanoharan et al., <https://arxiv.org/abs/2404.16014>.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, Loss, Parts, Pre, check_coefficient};
use crate::dictionary::loss::{Losses, row, squared_error, term};
use crate::dictionary::parameters::{Gate, Parameters};
use crate::dictionary::pass::{Encoded, Pass};
use crate::dictionary::top::positive;
use crate::error::Result;
use crate::kernels::Slopes;

/// A gated encoder. It has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated;

impl Encoder for Gated {
    fn parts(&self) -> Parts {
        Parts { gate: true, ..Parts::default() }
    }

    /// The magnitude, and the gate `π`.
    fn pre(&self, parameters: &Parameters, x: Tensor<2>) -> Pre {
        let Gate { b_gate, b_mag, r_mag } = gate(parameters);
        let projected = parameters.projected(x);
        let pre_acts = projected.clone() * row(r_mag.clone().exp()) + row(b_mag.clone());
        Pre { pre_acts, gate: Some(projected + row(b_gate.clone())) }
    }

    fn activate(&self, _: &Parameters, pre: Pre) -> Tensor<2> {
        let gate = pre.gate.expect("BUG: `pre` gave it");
        positive(pre.pre_acts) * gate.detach().greater_scalar(0.0).float()
    }
}

fn gate(parameters: &Parameters) -> &Gate {
    parameters.gate.as_ref().expect("BUG: the shapes were checked")
}

/// Squared error, a penalty on `ReLU(π)`, and the squared error of what `ReLU(π)` reconstructs. Terms: `mse_loss`,
/// `l1_loss`, `auxiliary_reconstruction_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatedLoss {
    /// `λ`, the factor of the penalty.
    pub coefficient: f64,
    /// Whether the penalty weighs latents by the norms of their decoder rows (`SAELens`). Without, keep the rows at unit
    /// length (`dictionary_learning`).
    pub decoder_norms: bool,
    /// Whether the auxiliary term has no gradient with respect to the decoder, as in the paper and in
    /// `dictionary_learning`. `SAELens` lets it through.
    pub detached: bool,
}

/// `λ = 1`, with decoder norms, and the decoder detached.
impl Default for GatedLoss {
    fn default() -> Self {
        Self { coefficient: 1.0, decoder_norms: true, detached: true }
    }
}

impl Loss for GatedLoss {
    type Of = Gated;

    fn check(&self, _: &Gated, _: usize) -> Result<()> {
        check_coefficient("coefficient", self.coefficient)
    }

    fn losses(&self, of: &Gated, pass: &Pass<'_>) -> Losses {
        let pre = of.pre(&pass.parameters, pass.x.clone());
        let open = positive(pre.gate.clone().expect("BUG: `pre` gave it"));
        let acts = of.activate(&pass.parameters, pre.clone());
        let reconstruction = pass.reconstructed(acts.clone());
        let terms = vec![
            term("l1_loss", self.penalty(open.clone(), pass)),
            term("auxiliary_reconstruction_loss", self.auxiliary(open, pass)),
        ];
        pass.losses(Encoded { pre_acts: pre.pre_acts, acts }, reconstruction, terms)
    }
}

impl GatedLoss {
    fn penalty(&self, open: Tensor<2>, pass: &Pass<'_>) -> Tensor<1> {
        let rows = open.dims()[0] as f64;
        let sums = open.sum_dim(0);
        let weighted = if self.decoder_norms { sums * row(pass.decoder_norms()) } else { sums };
        weighted.sum() / rows * (self.coefficient * pass.warm_up)
    }

    fn auxiliary(&self, open: Tensor<2>, pass: &Pass<'_>) -> Tensor<1> {
        let mut parameters = pass.parameters.clone();
        if self.detached {
            parameters.w_dec = parameters.w_dec.detach();
            parameters.b_dec = parameters.b_dec.detach();
        }
        let decoded = pass.undo.apply(parameters.skipped(parameters.learnt(open, Slopes::Active), pass.x.clone()));
        squared_error(decoded, pass.target.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::testing::{batch, close, read, tiny, tracked};
    use crate::dictionary::{Batch, Objective};

    #[test]
    fn the_gate_decides_and_the_magnitude_is_another() {
        let mut dictionary = tiny(Gated, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]);
        let values = |x: [f32; 2]| Tensor::<1>::from_floats(x, &burn::tensor::Device::flex());
        let gate = dictionary.gate.as_mut().unwrap();
        gate.b_gate = burn::module::Param::from_tensor(values([-2.5, 0.0]));
        gate.b_mag = burn::module::Param::from_tensor(values([0.5, 0.25]));
        gate.r_mag = burn::module::Param::from_tensor(values([0.0, 2.0_f32.ln()]));
        let acts = dictionary.encode(batch([[2.0, 1.0], [3.0, -1.0]]).x).unwrap();
        // π = [-0.5, 1] and [0.5, -1]; magnitudes [2.5, 2.25] and [3.5, 0].
        close(&read(acts), &[0.0, 2.25, 3.5, 0.0]);
    }

    /// A regression of `SAELens`, whose auxiliary term trains the decoder.
    #[test]
    fn the_auxiliary_term_has_no_gradient_at_the_decoder_unless_asked() {
        for (detached, expected) in [(true, false), (false, true)] {
            let dictionary = tracked(tiny(Gated, [[1.0, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.5, 1.0]]));
            let objective = Objective::from(GatedLoss { detached, ..GatedLoss::default() });
            let x = Tensor::from_floats([[2.0, 1.0], [1.0, 3.0]], &burn::tensor::Device::flex().autodiff());
            let losses = dictionary.losses(&objective, &Batch::of(x)).unwrap();
            let gradients = losses.term("auxiliary_reconstruction_loss").unwrap().backward();
            let moved =
                |gradient: Option<Vec<f32>>| gradient.is_some_and(|gradient| gradient.iter().any(|x| *x != 0.0));
            assert_eq!(moved(dictionary.w_dec.val().grad(&gradients).map(read)), expected);
            // `b_dec` is also subtracted from the input, through which the term may move it.
            assert!(moved(dictionary.w_enc.val().grad(&gradients).map(read)));
        }
    }
}
