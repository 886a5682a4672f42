//! Reads a tensor's numbers, row-major. Late failures of a GPU become errors of this crate.

use burn::tensor::Tensor;

use crate::ground::device;
use crate::ground::error::{Error, Result};

/// Reads the numbers of a tensor: `tensor.read()?`. The prelude imports the methods without the trait's name.
pub trait TensorRead {
    /// All numbers, row-major, as `f32`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] with the root cause first. Failures of earlier GPU operations appear here.
    fn read(&self) -> Result<Vec<f32>>;

    /// The number of a tensor that holds exactly one.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] if it does not hold exactly one number, and those of [`TensorRead::read`].
    fn read_one(&self) -> Result<f32>;
}

impl<const D: usize> TensorRead for Tensor<D> {
    fn read(&self) -> Result<Vec<f32>> {
        device::read(self.clone())
    }

    fn read_one(&self) -> Result<f32> {
        match self.dims().iter().product() {
            1 => Ok(self.read()?[0]),
            actual => {
                let what = format!("number in a tensor of shape {:?} (take it with `read`)", self.dims());
                Err(Error::Count { what, expected: 1, actual })
            }
        }
    }
}

/// The last position of logits or of a residual stream: `logits.last().read()?`.
pub trait LastPosition {
    /// The last position of `[batch, pos, width]`, as `[batch, width]`. It may be padding, so pad a batch on the left.
    #[must_use]
    fn last(&self) -> Tensor<2>;
}

impl LastPosition for Tensor<3> {
    fn last(&self) -> Tensor<2> {
        let [batch, pos, width] = self.dims();
        self.clone().narrow(1, pos - 1, 1).reshape([batch, width])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn tensor() -> Tensor<3> {
        Tensor::from_data([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]], &Device::flex())
    }

    #[test]
    fn numbers_are_read_row_by_row() {
        assert_eq!(tensor().read().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(tensor().last().read().unwrap(), [3.0, 4.0, 7.0, 8.0]);
        assert_eq!(tensor().sum().read_one().unwrap(), 36.0);
    }

    #[test]
    fn one_number_is_read_from_a_tensor_of_one() {
        let error = tensor().read_one().unwrap_err().to_string();
        assert_eq!(error, "expected 1 number in a tensor of shape [2, 2, 2] (take it with `read`), got 8");
    }
}
