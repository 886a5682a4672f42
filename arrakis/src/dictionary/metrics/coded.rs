//! What a metric sees of a batch.

use arrakis_models::device;
use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// Some tokens: what a dictionary should give, what it gives, and its latents. Read from the device once for all metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    target: Vec<f32>,
    output: Vec<f32>,
    latents: Vec<f32>,
    width: usize,
    d_sae: usize,
}

impl Coded {
    /// `target` and `output` are `[token, d_out]` in the units of the site, `latents` is `[token, d_sae]`. The target of an
    /// autoencoder is its input.
    ///
    /// # Errors
    ///
    /// Shapes that do not fit each other, numbers that are not finite, a device that fails.
    pub fn new(target: Tensor<2>, output: Tensor<2>, latents: Tensor<2>) -> Result<Self> {
        let ([tokens, width], [rows, d_sae]) = (target.dims(), latents.dims());
        if output.dims() != [tokens, width] || rows != tokens {
            return Err(refuse(format!(
                "a target of {tokens} × {width} numbers has an output of {} × {} and latents of {rows} × {d_sae}; give the \
                 same tokens, and an output as wide as the target",
                output.dims()[0],
                output.dims()[1]
            )));
        }
        let [target, output, latents] = [("target", target), ("output", output), ("latents", latents)].map(read);
        Ok(Self { target: target?, output: output?, latents: latents?, width, d_sae })
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.target.len() / self.width.max(1)
    }

    /// Number of latents.
    pub fn d_sae(&self) -> usize {
        self.d_sae
    }

    /// The width of targets and outputs.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The target and the output of each token.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.target.chunks_exact(self.width.max(1)).zip(self.output.chunks_exact(self.width.max(1)))
    }

    /// The latents of each token.
    pub(super) fn latents(&self) -> impl Iterator<Item = &[f32]> {
        self.latents.chunks_exact(self.d_sae.max(1))
    }
}

fn read((what, tensor): (&str, Tensor<2>)) -> Result<Vec<f32>> {
    let width = tensor.dims()[1];
    let numbers = device::read(tensor)?;
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(refuse(format!(
            "number {} of the {what} of token {} is {}; look at the activations, or lower the learning rate",
            at % width,
            at / width,
            numbers[at]
        ))),
        None => Ok(numbers),
    }
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Coded", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn mistakes_are_named() {
        let zeros = |rows: usize, width: usize| Tensor::<2>::zeros([rows, width], &Device::flex());
        let said = |a, b, c| Coded::new(a, b, c).unwrap_err().to_string();
        assert_eq!(
            said(zeros(2, 3), zeros(2, 4), zeros(2, 5)),
            "`Coded`: a target of 2 × 3 numbers has an output of 2 × 4 and latents of 2 × 5; give the same tokens, and an \
             output as wide as the target"
        );
        assert_eq!(
            said(zeros(2, 3), zeros(2, 3), zeros(2, 5).slice_fill([1..2, 4..5], f32::NAN)),
            "`Coded`: number 4 of the latents of token 1 is NaN; look at the activations, or lower the learning rate"
        );
    }
}
