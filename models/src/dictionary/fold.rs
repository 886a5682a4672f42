//! Scales and norms folded into the weights, and the constraints that training keeps.
//!
//! Every function takes the dictionary and gives it back with the same parameter ids, so an optimiser goes on with them.

#[cfg(test)]
mod tests;

use burn::module::Param;
use burn::tensor::Tensor;

use super::architectures::Architecture;
use super::dictionary::Dictionary;
use super::normalization::Normalization;
use super::shapes::check_axis;
use crate::error::{Error, Result};
use crate::kernels;

/// Least norm of a decoder row that is divided by.
const LEAST_NORM: f64 = 1e-8;

/// Added to a norm before a row is divided by it: the smallest step of single precision at 1.
const EPS: f32 = f32::EPSILON;

/// How activations were brought to the units of training: `z = (x - mean) · scale`.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[d]`: subtracted first.
    pub mean: Tensor<1>,
    /// Multiplied by afterwards.
    pub scale: f64,
}

impl Dictionary {
    /// For a dictionary trained on `s x`: it takes and gives `x`, with the same latents.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if it is a transcoder, whose two tensors have two scales ([`Dictionary::fold_affine`]), or `s` is
    /// not positive.
    pub fn fold_scale(self, scale: f64) -> Result<Self> {
        let mean = self.b_dec.val().zeros_like().detach();
        if self.config.transcodes {
            let fix = "give the scales of both tensors with `fold_affine`".into();
            return Err(Error::Setting { setting: "scale of a transcoder", value: scale.to_string(), fix });
        }
        let both = Affine { mean, scale };
        self.fold_affine(&both, &both)
    }

    /// For a dictionary trained on `(x - mean) · scale`: it takes and gives the activations themselves, with the same
    /// latents. The output is an autoencoder's input.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a scale that is not positive, [`Error::Axis`] for a mean of another length.
    pub fn fold_affine(mut self, input: &Affine, output: &Affine) -> Result<Self> {
        check_affine(input, "d_in", self.config.d_in)?;
        check_affine(output, "d_out", self.config.d_out)?;
        let (mean, scale) = (input.mean.clone(), input.scale);
        self.w_enc = changed(self.w_enc, |w_enc| w_enc * scale);
        self = self.shift_encoder(&mean);
        self.w_dec = changed(self.w_dec, |w_dec| w_dec / output.scale);
        self.w_skip = self.w_skip.map(|skip| changed(skip, |skip| skip * (scale / output.scale)));
        let skipped = self.w_skip.as_ref().map(|skip| vector(times(&mean, skip.val().detach())));
        self.b_dec = changed(self.b_dec, |b_dec| {
            let moved = b_dec / output.scale + output.mean.clone();
            skipped.map_or(moved.clone(), |skipped| moved - skipped)
        });
        // A threshold of latents in units of decoder norms, which have changed.
        if let Some(top) = self.config.architecture.batch_threshold().filter(|top| top.1) {
            *top.0 /= output.scale;
        }
        self.config.normalization = Normalization::None;
        Ok(self)
    }

    /// For an autoencoder trained on `(x - mean) M`, with `M` `[d, d]` and its inverse.
    ///
    /// Source: <https://arxiv.org/abs/2511.13981>, as `SAELens` folds it.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] for another size, [`Error::Setting`] for a transcoder.
    pub fn fold_whitening(mut self, mean: &Tensor<1>, whitening: &Tensor<2>, unwhitening: &Tensor<2>) -> Result<Self> {
        let d = self.config.d_in;
        if self.config.transcodes {
            let fix = "only an autoencoder gives what it takes".into();
            return Err(Error::Setting { setting: "whitening", value: "for a transcoder".into(), fix });
        }
        for (axis, length) in [mean.dims()[0]].into_iter().chain(whitening.dims()).chain(unwhitening.dims()).enumerate()
        {
            if length != d {
                let dims = if axis == 0 { mean.dims().to_vec() } else { whitening.dims().to_vec() };
                return Err(Error::Axis { axis: "d_in", expected: d, actual: length, dims });
            }
        }
        if self.config.architecture.rescale_flag().is_some_and(|flag| *flag) {
            // Unwhitening changes the rows' norms, and with them what is largest.
            self = self.fold_decoder_norm()?;
        }
        self.w_enc = changed(self.w_enc, |w_enc| whitening.clone().matmul(w_enc));
        self = self.shift_encoder(mean);
        self.w_dec = changed(self.w_dec, |w_dec| w_dec.matmul(unwhitening.clone()));
        self.b_dec = changed(self.b_dec, |b_dec| vector(times(&b_dec, unwhitening.clone())) + mean.clone());
        self.config.normalization = Normalization::None;
        Ok(self)
    }

    /// For a dictionary trained on `x / norm`, as `dictionary_learning` folds it: the biases and thresholds are multiplied by
    /// `norm`. Latents are in the units of `x` then, unlike with [`Dictionary::fold_scale`].
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a norm that is not positive.
    pub fn scale_biases(mut self, norm: f64) -> Result<Self> {
        check_scale(norm)?;
        let scaled = |bias: Param<Tensor<1>>| changed(bias, |bias| bias * norm);
        self.b_enc = self.b_enc.map(scaled);
        self.b_dec = scaled(self.b_dec);
        self.threshold = self.threshold.map(scaled);
        if let Some(mut gate) = self.gate.take() {
            gate.b_gate = scaled(gate.b_gate);
            gate.b_mag = scaled(gate.b_mag);
            self.gate = Some(gate);
        }
        if let Some((threshold, _)) = self.config.architecture.batch_threshold().filter(|top| *top.0 >= 0.0) {
            *threshold *= norm;
        }
        self.config.normalization = Normalization::None;
        Ok(self)
    }

    /// Decoder rows of unit length: latents are multiplied by the norms, and what is written stays the same. A latent's
    /// size then says how much it writes.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a top-k or batch-top-k dictionary that compares latents without the norms: others would be
    /// the largest.
    pub fn fold_decoder_norm(mut self) -> Result<Self> {
        let name = self.config.architecture.name();
        match self.config.architecture.rescale_flag() {
            Some(flag) if !*flag => {
                let fix =
                    format!("folding the norms of a `{name}` dictionary would change which latents are the largest");
                return Err(Error::Setting { setting: "rescale_acts_by_decoder_norm", value: "false".into(), fix });
            }
            Some(flag) => *flag = false,
            None => {}
        }
        let norms = self.parameters().decoder_norms().detach().clamp_min(LEAST_NORM);
        let scaled = |bias: Param<Tensor<1>>| changed(bias, |bias| bias * norms.clone());
        self.w_enc = changed(self.w_enc, |w_enc| w_enc * norms.clone().unsqueeze::<2>());
        self.w_dec = changed(self.w_dec, |w_dec| w_dec / norms.clone().unsqueeze_dim::<2>(1));
        self.b_enc = self.b_enc.map(scaled);
        self.threshold = self.threshold.map(scaled);
        if let Some(mut gate) = self.gate.take() {
            gate.b_gate = scaled(gate.b_gate);
            gate.b_mag = scaled(gate.b_mag);
            self.gate = Some(gate);
        }
        Ok(self)
    }

    /// Decoder rows of unit length, without a change of the encoder: the constraint after each step of training
    /// (Bricken et al. 2023). Rows of zeros stay as they are.
    #[must_use]
    pub fn with_unit_decoder(mut self) -> Self {
        let norms = self.parameters().decoder_norms().detach() + EPS;
        self.w_dec = changed(self.w_dec, |w_dec| w_dec / norms.unsqueeze_dim::<2>(1));
        self
    }

    /// The decoder's gradient `[d_sae, d_out]` without its component along each row, which the constraint would undo.
    pub fn along_unit_decoder(&self, gradient: Tensor<2>) -> Tensor<2> {
        let rows = self.w_dec.val().inner();
        let along = (gradient.clone() * rows.clone()).sum_dim(1);
        gradient - rows * along
    }

    /// Thresholds from zero: below it they would let negative latents through. Others are unchanged, and so are their
    /// gradients.
    #[must_use]
    pub fn project_threshold(mut self) -> Self {
        self.threshold = self.threshold.map(|threshold| changed(threshold, |threshold| threshold.clamp_min(0.0)));
        self
    }

    /// Moves the threshold of a batch-top-k dictionary towards the smallest latent that a batch kept, by `rate`
    /// (`SAELens`: 0.01, `dictionary_learning`: 0.001). A negative threshold becomes that latent. Other dictionaries stay as
    /// they are.
    ///
    /// # Errors
    ///
    /// [`Error::Device`].
    pub fn update_threshold(&mut self, acts: &Tensor<2>, rate: f64) -> Result<()> {
        let Some((threshold, _)) = self.config.architecture.batch_threshold() else { return Ok(()) };
        let acts = acts.clone().detach();
        let least = if let Some(least) = kernels::least_positive(&acts) {
            f64::from(least)
        } else {
            let silent = acts.clone().lower_equal_scalar(0.0);
            f64::from(crate::device::read(acts.mask_fill(silent, f32::INFINITY).min())?[0])
        };
        if least.is_finite() {
            *threshold = if *threshold < 0.0 { least } else { (1.0 - rate) * *threshold + rate * least };
        }
        Ok(())
    }

    /// What one unit of each latent writes, `[d_sae, d_out]`. With latents that are compared in units of the decoder's norms,
    /// rows of length 1. A [`Normalization`] of each activation is not undone.
    pub fn directions(&self) -> Tensor<2> {
        let parameters = self.parameters();
        if !self.config.architecture.compares_by_decoder_norm() {
            return parameters.w_dec;
        }
        parameters.in_unit_rows().w_dec
    }

    /// Subtracts a mean that the encoder read through its (changed) weights. With `b_dec` subtracted from the input, the
    /// folded `b_dec` does it.
    fn shift_encoder(mut self, mean: &Tensor<1>) -> Self {
        if self.config.apply_b_dec_to_input {
            return self;
        }
        let shift = vector(times(mean, self.w_enc.val().detach()));
        self.b_enc = self.b_enc.map(|b_enc| changed(b_enc, |b_enc| b_enc - shift.clone()));
        if let Some(mut gate) = self.gate.take() {
            let factor = gate.r_mag.val().detach().exp();
            gate.b_gate = changed(gate.b_gate, |b_gate| b_gate - shift.clone());
            gate.b_mag = changed(gate.b_mag, |b_mag| b_mag - shift * factor);
            self.gate = Some(gate);
        }
        self
    }
}

impl Architecture {
    /// Sets the threshold of a batch-top-k encoder. Others have none.
    pub(super) fn set_batch_threshold(&mut self, found: f64) {
        if let Some((threshold, _)) = self.batch_threshold() {
            *threshold = found;
        }
    }

    /// The threshold of a batch-top-k encoder, and whether it is in units of the decoder's norms.
    fn batch_threshold(&mut self) -> Option<(&mut f64, bool)> {
        match self {
            Self::BatchTopK(top) => Some((&mut top.threshold, top.rescale_acts_by_decoder_norm)),
            Self::Matryoshka(of) => Some((&mut of.top.threshold, of.top.rescale_acts_by_decoder_norm)),
            _ => None,
        }
    }

    /// Whether latents are compared in units of the decoder's norms.
    pub(super) fn compares_by_decoder_norm(&self) -> bool {
        self.clone().rescale_flag().is_some_and(|flag| *flag)
    }

    /// Whether latents are compared in units of the decoder's norms, where they are compared.
    fn rescale_flag(&mut self) -> Option<&mut bool> {
        match self {
            Self::TopK(top) => Some(&mut top.rescale_acts_by_decoder_norm),
            Self::BatchTopK(top) => Some(&mut top.rescale_acts_by_decoder_norm),
            Self::Matryoshka(of) => Some(&mut of.top.rescale_acts_by_decoder_norm),
            _ => None,
        }
    }
}

/// A parameter with other numbers and the same id; it has a gradient if it had one.
fn changed<const D: usize>(
    parameter: Param<Tensor<D>>,
    change: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Param<Tensor<D>> {
    parameter.map(|tensor| {
        let tracked = tensor.is_require_grad();
        change(tensor.detach()).detach().set_require_grad(tracked)
    })
}

/// `[d]` times `[d, n]`, as one row.
fn times(x: &Tensor<1>, matrix: Tensor<2>) -> Tensor<2> {
    x.clone().unsqueeze::<2>().matmul(matrix)
}

fn vector(row: Tensor<2>) -> Tensor<1> {
    let n = row.dims()[1];
    row.reshape([n])
}

fn check_affine(affine: &Affine, axis: &'static str, expected: usize) -> Result<()> {
    check_scale(affine.scale)?;
    let [actual] = affine.mean.dims();
    check_axis(axis, expected, actual, &[actual])
}

fn check_scale(scale: f64) -> Result<()> {
    if scale.is_finite() && scale > 0.0 {
        return Ok(());
    }
    Err(Error::Setting { setting: "scale", value: scale.to_string(), fix: "give a positive number".into() })
}
