//! The traits of every architecture.

use burn::tensor::Tensor;

use crate::dictionary::loss::Losses;
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::Pass;
use crate::error::{Error, Result};

/// Which parameters an architecture has besides the encoder's and decoder's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::dictionary) struct Parts {
    /// A threshold for each latent, which starts at this number.
    pub(in crate::dictionary) threshold: Option<f32>,
    /// A gate, instead of `b_enc`.
    pub(in crate::dictionary) gate: bool,
}

/// The encoder before its activation function.
#[derive(Clone, Debug)]
pub(in crate::dictionary) struct Pre {
    /// `[rows, d_sae]`: what the activation function reads.
    pub(in crate::dictionary) pre_acts: Tensor<2>,
    /// `[rows, d_sae]`: what decides which latents of a gated dictionary are active.
    pub(in crate::dictionary) gate: Option<Tensor<2>>,
}

impl Pre {
    pub(super) fn plain(pre_acts: Tensor<2>) -> Self {
        Self { pre_acts, gate: None }
    }
}

/// An encoder.
pub(in crate::dictionary) trait Encoder {
    /// Checks the settings for a number of latents.
    fn check(&self, _d_sae: usize) -> Result<()> {
        Ok(())
    }

    /// Which parameters it has.
    fn parts(&self) -> Parts {
        Parts::default()
    }

    /// `[rows, d_in]` to what the activation function reads.
    fn pre(&self, parameters: &Parameters, x: Tensor<2>) -> Pre {
        Pre::plain(parameters.pre_acts(x))
    }

    /// The latents, `[rows, d_sae]`.
    fn activate(&self, parameters: &Parameters, pre: Pre) -> Tensor<2>;

    /// The latents in the units of the decoder.
    fn rescaled(&self, _parameters: &Parameters, acts: Tensor<2>) -> Tensor<2> {
        acts
    }
}

/// What a dictionary is trained on.
pub(super) trait Loss {
    /// The settings of its architecture.
    type Of;

    /// Checks the settings.
    fn check(&self, of: &Self::Of, d_sae: usize) -> Result<()>;

    /// Whether dead latents predict what is left over, in the units of the target.
    fn revives(&self) -> bool {
        false
    }

    /// The losses of one pass.
    fn losses(&self, of: &Self::Of, pass: &Pass<'_>) -> Losses;
}

/// Refuses a number that is negative or not finite.
pub(super) fn check_coefficient(setting: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::Setting { setting, value: value.to_string(), fix: "give a finite number from 0".into() })
}

/// Refuses a number that is not positive and finite.
pub(super) fn check_positive(setting: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Setting { setting, value: value.to_string(), fix: "give a finite number above 0".into() })
}

/// Refuses a number of active latents that there cannot be.
pub(super) fn check_k(k: f64, d_sae: usize) -> Result<()> {
    if k > 0.0 && k <= d_sae as f64 {
        return Ok(());
    }
    let fix = format!("there are {d_sae} latents; give from 1 to {d_sae}");
    Err(Error::Setting { setting: "k", value: k.to_string(), fix })
}
