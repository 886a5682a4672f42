//! Activations of known features: a test that a dictionary passes or fails.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sums of features that are active at random, each with a probability and a strength between 0.5 and 1.5, on top of a mean
/// and of noise.
///
/// The features are random directions of length 1, more of them than dimensions if you like. Source: the synthetic data of
/// Sharkey et al., 2022, "Taking features out of superposition with sparse autoencoders".
#[derive(Clone, Debug)]
pub struct Planted {
    /// `[feature][d]`
    features: Vec<Vec<f32>>,
    mean: Vec<f32>,
    rate: f64,
    noise: f32,
    seed: u64,
}

impl Planted {
    /// `count` features in `d` dimensions, each active on 1 of 10 tokens, without noise and with mean zero.
    pub fn new(count: usize, d: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let features = (0..count).map(|_| direction(d, &mut rng)).collect();
        Self { features, mean: vec![0.0; d], rate: 0.1, noise: 0.0, seed }
    }

    /// The probability that a feature is active on a token.
    #[must_use]
    pub fn rate(self, rate: f64) -> Self {
        Self { rate: rate.clamp(0.0, 1.0), ..self }
    }

    /// The standard deviation of the noise in each dimension.
    #[must_use]
    pub fn noise(self, noise: f32) -> Self {
        Self { noise, ..self }
    }

    /// Adds a mean of this length, in a random direction.
    #[must_use]
    pub fn mean(self, length: f32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x6d65_616e);
        let mean = direction(self.mean.len(), &mut rng).into_iter().map(|x| length * x).collect();
        Self { mean, ..self }
    }

    /// The features, `[feature, d]`.
    pub fn features(&self, device: &Device) -> Tensor<2> {
        let shape = [self.features.len(), self.mean.len()];
        Tensor::from_data(TensorData::new(self.features.concat(), shape), device)
    }

    /// The strengths of the features on the tokens of a batch, `[token, feature]`, and the activations, `[token, d]`. The
    /// number of the batch decides what is drawn.
    pub fn batch(&self, number: u64, tokens: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number + 1);
        let (mut strengths, mut rows) = (Vec::new(), Vec::new());
        for _ in 0..tokens {
            let mut row = self.mean.clone();
            for x in &mut row {
                *x += self.noise * normal(&mut rng);
            }
            for feature in &self.features {
                let strength = if rng.random_bool(self.rate) { rng.random_range(0.5..1.5) } else { 0.0 };
                row.iter_mut().zip(feature).for_each(|(x, part)| *x += strength * part);
                strengths.push(strength);
            }
            rows.extend(row);
        }
        let tensor = |numbers: Vec<f32>, width| Tensor::from_data(TensorData::new(numbers, [tokens, width]), device);
        (tensor(strengths, self.features.len()), tensor(rows, self.mean.len()))
    }
}

fn direction(d: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let raw: Vec<f32> = (0..d).map(|_| normal(rng)).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|x| x / length).collect()
}

/// A standard normal number (Box and Muller, 1958).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    ((-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::mcc;
    use crate::tools::testing::close;
    use arrakis_models::device;

    #[test]
    fn activations_are_the_sums_of_their_features() {
        let (device, planted) = (Device::flex(), Planted::new(7, 4, 3).rate(0.3).mean(2.0));
        let (strengths, rows) = planted.batch(5, 2000, &device);
        let mean = device::read(Tensor::<1>::from_floats(planted.mean.as_slice(), &device)).unwrap();
        close(mean.iter().map(|x| x * x).sum::<f32>().sqrt(), 2.0, 1e-5);
        let sums = strengths.clone().matmul(planted.features(&device));
        let sums = sums + Tensor::<1>::from_floats(mean.as_slice(), &device).unsqueeze();
        close(device::read((sums - rows.clone()).abs().max()).unwrap()[0], 0.0, 1e-5);
        let active = device::read(strengths.greater_scalar(0.0).float().mean()).unwrap()[0];
        close(active, 0.3, 0.02);
        let again = device::read(planted.batch(5, 2000, &device).1).unwrap();
        assert_eq!(again, device::read(rows).unwrap());
        assert_ne!(again, device::read(planted.batch(6, 2000, &device).1).unwrap());
    }

    #[test]
    fn features_have_length_one_and_seeds_differ() {
        let (device, of) = (Device::flex(), |seed| Planted::new(9, 6, seed).features(&Device::flex()));
        let lengths = device::read(of(1).square().sum_dim(1)).unwrap();
        for length in lengths {
            close(length, 1.0, 1e-5);
        }
        assert!(mcc(of(1), of(2)).unwrap() < 0.9);
        let noise = Planted::new(1, 6, 1).rate(0.0).noise(0.5).batch(0, 4000, &device).1;
        close(device::read(noise.square().mean()).unwrap()[0], 0.25, 0.01);
    }
}
