//! What a dictionary must beat: as many numbers a token, from directions that nobody trained.

use arrakis_models::dictionary::architectures::TopK;
use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Init};
use arrakis_models::{device, svd_of_columns};
use burn::module::Param;
use burn::tensor::{Device, IndexingUpdateOp, Tensor, TensorData};
use sha2::{Digest, Sha256};

use super::judge::Coder;
use crate::corpus::Covariance;
use crate::error::{Error, Result};

/// Orthonormal directions around a mean, of which `k` are kept for each token.
#[derive(Clone, Debug)]
pub struct Basis {
    /// `[n, d]`
    directions: Tensor<2>,
    /// `[d]`
    mean: Tensor<1>,
    /// How many of the largest coordinates are kept; `None` keeps all.
    largest: Option<usize>,
}

impl Basis {
    /// The first `k` principal components: the best that `k` numbers a token can do with the same directions for all.
    ///
    /// # Errors
    ///
    /// A covariance of fewer than two tokens, a `k` that is 0 or more than the width.
    pub fn principal(covariance: &Covariance, k: usize, device: &Device) -> Result<Self> {
        let width = covariance.mean().len();
        check(k, width)?;
        let components = svd_of_columns(covariance.covariance()?)?.u;
        let flat: Vec<f32> = components.into_iter().take(k).flatten().map(|x| x as f32).collect();
        let directions = Tensor::from_data(TensorData::new(flat, [k, width]), device);
        Ok(Self { directions, mean: vector(covariance.mean(), device), largest: None })
    }

    /// The site's own coordinates, such as neurons: of each token the `k` that are furthest from their means, `[d]`.
    ///
    /// # Errors
    ///
    /// A `k` that is 0 or more than the width.
    pub fn coordinates(mean: &[f64], k: usize, device: &Device) -> Result<Self> {
        check(k, mean.len())?;
        Ok(Self { directions: Tensor::eye(mean.len(), device), mean: vector(mean, device), largest: Some(k) })
    }
}

/// An untrained dictionary: random directions of length 1 that read and write around a mean `[d]`, `k` of them a token.
///
/// # Errors
///
/// Those of [`Dictionary::new`].
pub fn random_dictionary(mean: &[f64], d_sae: usize, k: usize, seed: u64, device: &Device) -> Result<Dictionary> {
    let config = DictionaryConfig::autoencoder(mean.len(), d_sae, TopK { k, ..TopK::default() });
    let init = Init { decoder_norm: Some(1.0), ..Init::default() };
    let mut dictionary = Dictionary::new(config, &init, seed, device)?;
    dictionary.b_dec = Param::from_tensor(vector(mean, device));
    Ok(dictionary)
}

impl Coder for Basis {
    fn code(&self, x: Tensor<2>) -> Result<(Tensor<2>, Tensor<2>)> {
        let ([_, width], [_, expected]) = (x.dims(), self.directions.dims());
        if width != expected {
            let problem = format!("activations of {width} numbers do not fit directions of {expected}");
            return Err(Error::Value { of: "Basis", problem });
        }
        let mean = self.mean.clone().unsqueeze();
        let coordinates = (x - mean.clone()).matmul(self.directions.clone().transpose());
        let latents = match self.largest {
            Some(k) => {
                let (_, at) = coordinates.clone().abs().topk_with_indices(k, 1);
                let kept = coordinates.clone().gather(1, at.clone());
                coordinates.zeros_like().scatter(1, at, kept, IndexingUpdateOp::Add)
            }
            None => coordinates,
        };
        Ok((latents.clone(), latents.matmul(self.directions.clone()) + mean))
    }

    fn directions(&self) -> Tensor<2> {
        self.directions.clone()
    }

    fn fingerprint(&self) -> Result<String> {
        let mut digest = Sha256::new();
        for numbers in [device::read(self.directions.clone())?, device::read(self.mean.clone())?] {
            digest.update(numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>());
        }
        Ok(format!("basis {:x} {:?} {:?}", digest.finalize(), self.directions.dims(), self.largest))
    }
}

fn check(k: usize, width: usize) -> Result<()> {
    if (1..=width).contains(&k) {
        return Ok(());
    }
    let problem = format!("{k} numbers a token cannot be kept of {width}; give from 1 to {width}");
    Err(Error::Value { of: "Basis", problem })
}

fn vector(mean: &[f64], device: &Device) -> Tensor<1> {
    let mean: Vec<f32> = mean.iter().map(|x| *x as f32).collect();
    Tensor::from_floats(mean.as_slice(), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::Judge;
    use crate::tools::testing::close;

    /// Points around (1, 2, 3) that vary most along (1, 1, 0).
    fn points() -> Tensor<2> {
        let rows: Vec<f32> = (0..200)
            .flat_map(|at| {
                let (a, b, c) = ((at as f32).sin() * 3.0, (at as f32 * 1.7).cos(), (at as f32 * 0.3).sin() * 0.1);
                [1.0 + a + b, 2.0 + a - b, 3.0 + c]
            })
            .collect();
        Tensor::<1>::from_floats(rows.as_slice(), &Device::flex()).reshape([200, 3])
    }

    fn covariance() -> Covariance {
        let mut covariance = Covariance::new("embed");
        covariance.add(points()).unwrap();
        covariance
    }

    fn kept(coder: &dyn Coder) -> (f64, f64) {
        let mut judge = Judge::new(coder, "embed", "embed");
        judge.add(points(), points()).unwrap();
        let found = judge.judgement().unwrap();
        (found.l0[0], found.explained_variance)
    }

    #[test]
    fn components_keep_the_share_of_their_eigenvalues() {
        let (covariance, device) = (covariance(), Device::flex());
        let values = svd_of_columns(covariance.covariance().unwrap()).unwrap().s;
        for k in 1..=3 {
            let (l0, share) = kept(&Basis::principal(&covariance, k, &device).unwrap());
            assert_eq!(l0, k as f64);
            close(share, values[..k].iter().sum::<f64>() / values.iter().sum::<f64>(), 1e-5);
        }
        let all = kept(&Basis::coordinates(covariance.mean(), 3, &device).unwrap());
        close(all.1, 1.0, 1e-6);
    }

    #[test]
    fn coordinates_keep_those_furthest_from_the_mean() {
        let device = Device::flex();
        let basis = Basis::coordinates(&[1.0, 0.0, 0.0], 1, &device).unwrap();
        let x = Tensor::from_floats([[1.5, -2.0, 1.0], [4.0, 1.0, 1.0]], &device);
        let (latents, output) = basis.code(x).unwrap();
        assert_eq!(device::read(latents).unwrap(), [0.0, -2.0, 0.0, 3.0, 0.0, 0.0]);
        assert_eq!(device::read(output).unwrap(), [1.0, -2.0, 0.0, 4.0, 0.0, 0.0]);
    }

    #[test]
    fn a_random_dictionary_is_worse_than_components() {
        let (covariance, device) = (covariance(), Device::flex());
        let random = random_dictionary(covariance.mean(), 8, 1, 3, &device).unwrap();
        let (_, best) = kept(&Basis::principal(&covariance, 1, &device).unwrap());
        assert!(kept(&random).1 < best);
    }

    #[test]
    fn mistakes_are_named() {
        let said = Basis::coordinates(&[0.0; 3], 4, &Device::flex()).unwrap_err().to_string();
        assert_eq!(said, "`Basis`: 4 numbers a token cannot be kept of 3; give from 1 to 3");
        let basis = Basis::coordinates(&[0.0; 3], 1, &Device::flex()).unwrap();
        let said = basis.code(Tensor::zeros([2, 5], &Device::flex())).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, "`Basis`: activations of 5 numbers do not fit directions of 3");
    }
}
