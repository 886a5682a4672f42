//! How the directions of a decoder lie to each other.

use arrakis_models::device;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::matching::unit;
use crate::error::{Error, Result};
use crate::plot::Histogram;

/// Rows whose cosines are computed at a time.
const BLOCK: usize = 1024;

/// For each latent, the latent whose direction is nearest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderCosines {
    /// The latent with the largest cosine besides itself, `[d_sae]`.
    pub nearest: Vec<usize>,
    /// That cosine, `[d_sae]`, from -1 to 1.
    pub cosines: Vec<f64>,
}

impl DecoderCosines {
    /// Of a decoder `[d_sae, d]`. At most `4 · 1024 · d_sae` bytes of cosines are held at a time.
    ///
    /// # Errors
    ///
    /// Fewer than two latents, numbers that are not finite.
    pub fn of(decoder: Tensor<2>) -> Result<Self> {
        let [latents, _] = decoder.dims();
        if latents < 2 {
            return Err(refuse(format!("{latents} latents have no neighbours; give a decoder of at least 2")));
        }
        let unit = unit(decoder);
        let (mut nearest, mut cosines) = (Vec::with_capacity(latents), Vec::with_capacity(latents));
        for start in (0..latents).step_by(BLOCK) {
            let rows = BLOCK.min(latents - start);
            let products = unit.clone().narrow(0, start, rows).matmul(unit.clone().transpose());
            // A latent's cosine with itself is 1, and with no other one above 1.
            let itself = TensorData::new((start as i64..(start + rows) as i64).collect::<Vec<_>>(), [rows, 1]);
            let itself = Tensor::<2, Int>::from_data(itself, &products.device());
            let below = Tensor::full([rows, 1], -3.0, &products.device());
            let others = products.scatter(1, itself, below, burn::tensor::IndexingUpdateOp::Add);
            let (found, at) = others.max_dim_with_indices(1);
            cosines.extend(device::read(found)?.into_iter().map(f64::from));
            nearest.extend(at.into_data().iter::<i64>().map(|at| at as usize));
        }
        if cosines.iter().any(|cosine| !cosine.is_finite()) {
            return Err(refuse("a direction is not finite; look at the weights".into()));
        }
        Ok(Self { nearest, cosines })
    }

    /// The mean over latents of the cosine with the nearest. Random directions in `d` dimensions have about
    /// `√(2 ln d_sae / d)`.
    pub fn mean(&self) -> f64 {
        self.cosines.iter().sum::<f64>() / self.cosines.len() as f64
    }

    /// How many latents have another one nearer than this cosine: near copies.
    pub fn above(&self, cosine: f64) -> usize {
        self.cosines.iter().filter(|own| **own > cosine).count()
    }

    /// The distribution of the cosines.
    pub fn histogram(&self) -> Histogram {
        let title = format!("nearest directions of {} latents", self.cosines.len());
        Histogram::new("cosine with the nearest latent", self.cosines.iter().copied()).bins(50).titled(title)
    }
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "DecoderCosines", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::reference;
    use crate::tools::testing::close;
    use burn::tensor::Device;

    #[test]
    fn by_hand() {
        let device = Device::flex();
        let decoder = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0], [-1.0, 0.0]], &device);
        let found = DecoderCosines::of(decoder).unwrap();
        assert_eq!(found.nearest, [2, 2, 1, 1]);
        for (cosine, expected) in found.cosines.iter().zip([0.6, 0.8, 0.8, 0.0]) {
            close(*cosine, expected, 1e-6);
        }
        assert_eq!((found.above(0.7), found.histogram().values.len()), (2, 4));
        let said = DecoderCosines::of(Tensor::zeros([1, 2], &device)).unwrap_err().to_string();
        assert_eq!(said, "`DecoderCosines`: 1 latents have no neighbours; give a decoder of at least 2");
    }

    #[test]
    fn it_is_that_of_numpy_over_several_blocks() {
        let reference = reference();
        let found = DecoderCosines::of(reference.tensor("decoder")).unwrap();
        close(found.mean(), reference.number("nearest_cosine"), 1e-6);
        let device = Device::flex();
        let angle = |latent: usize| latent as f32 * 0.001;
        let many: Vec<f32> = (0..1500).flat_map(|latent| [angle(latent).cos(), angle(latent).sin()]).collect();
        let many = Tensor::<1>::from_floats(many.as_slice(), &device).reshape([1500, 2]);
        let found = DecoderCosines::of(many).unwrap();
        assert!(
            found.nearest.iter().enumerate().all(|(latent, other)| latent.abs_diff(*other) <= 2 && latent != *other)
        );
    }
}
