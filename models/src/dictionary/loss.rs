//! Loss terms, and the sums that they are made of.

use burn::tensor::Tensor;

use crate::device;
use crate::error::Result;
use crate::kernels;

/// One term of a loss, `[1]`, with its coefficient in it.
#[derive(Clone, Debug)]
pub struct Term {
    /// Its name: that of `SAELens`, where it has one.
    pub name: String,
    /// Its value.
    pub value: Tensor<1>,
}

/// What a pass in training computed.
#[derive(Clone, Debug)]
pub struct Losses {
    /// The terms. Their sum is the loss.
    pub terms: Vec<Term>,
    /// `[rows, d_sae]`: the encoder before its activation function.
    pub pre_acts: Tensor<2>,
    /// `[rows, d_sae]`: the latents.
    pub acts: Tensor<2>,
    /// `[rows, d_out]`: the reconstruction, in the units of the target.
    pub reconstruction: Tensor<2>,
}

impl Losses {
    /// The sum of the terms, `[1]`.
    pub fn total(&self) -> Tensor<1> {
        let mut values = self.terms.iter().map(|term| term.value.clone());
        let first = values.next().expect("BUG: every objective has a reconstruction term");
        values.fold(first, |sum, value| sum + value)
    }

    /// For each latent, whether it is not zero on any row.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device).
    pub fn fired(&self) -> Result<Vec<bool>> {
        let acts = self.acts.clone().detach();
        match kernels::any_of_columns(&acts) {
            Some(fired) => Ok(fired),
            None => Ok(device::read(acts.abs().max_dim(0))?.into_iter().map(|largest| largest != 0.0).collect()),
        }
    }

    /// A term by name.
    pub fn term(&self, name: &str) -> Option<&Tensor<1>> {
        self.terms.iter().find(|term| term.name == name).map(|term| &term.value)
    }
}

/// A term with a name.
pub(super) fn term(name: impl Into<String>, value: Tensor<1>) -> Term {
    Term { name: name.into(), value }
}

/// Mean over rows of the sum of each row, `[1]`.
pub(super) fn mean_of_sums(x: Tensor<2>) -> Tensor<1> {
    let rows = x.dims()[0] as f64;
    x.sum() / rows
}

/// Mean over rows of the squared distance, `[1]`.
pub(super) fn squared_error(reconstruction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    mean_of_sums((reconstruction - target).square())
}

/// Mean over rows of `‖x̂ - x‖² / ‖x‖²`, `[1]`.
pub(super) fn normalised_error(reconstruction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let size = target.clone().square().sum_dim(1);
    mean_of_sums((reconstruction - target).square().sum_dim(1) / size)
}

/// Mean over rows of the squared distance to the mean row, `[1]`.
pub(super) fn variance(x: Tensor<2>) -> Tensor<1> {
    let mean = x.clone().mean_dim(0);
    mean_of_sums((x - mean).square())
}

/// A tensor `[n]` as one row.
pub(super) fn row(x: Tensor<1>) -> Tensor<2> {
    x.unsqueeze()
}
