//! Rows that a dictionary is trained on.

use burn::tensor::Tensor;

/// Activations of one step of training.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// `[rows, d_in]`: what is encoded.
    pub x: Tensor<2>,
    /// `[rows, d_out]`: what is predicted; `x` in an autoencoder.
    pub target: Tensor<2>,
    /// Which latents are taken for dead, by whatever definition. Empty: none.
    pub dead: &'a [bool],
    /// Factor on the sparsity terms, from 0 to 1: their warm-up.
    pub warm_up: f64,
}

impl Batch<'_> {
    /// Activations that are encoded and predicted, `[rows, d_in]`, with no dead latents and the sparsity terms in full.
    pub fn of(x: Tensor<2>) -> Self {
        Self::pair(x.clone(), x)
    }

    /// The input and the target of a transcoder.
    pub fn pair(x: Tensor<2>, target: Tensor<2>) -> Self {
        Self { x, target, dead: &[], warm_up: 1.0 }
    }
}

impl<'a> Batch<'a> {
    /// The same with latents that are taken for dead, one for each latent.
    #[must_use]
    pub fn dead(self, dead: &'a [bool]) -> Self {
        Self { dead, ..self }
    }

    /// The same with a factor on the sparsity terms.
    #[must_use]
    pub fn warmed_up(self, warm_up: f64) -> Self {
        Self { warm_up, ..self }
    }
}
