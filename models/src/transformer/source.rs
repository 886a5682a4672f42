//! Where parameters come from while a model is built: a checkpoint, or a seeded generator.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

/// How a parameter is initialised when it is not loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Independent normal numbers with this standard deviation.
    Normal(f32),
    /// This number everywhere.
    Constant(f32),
}

/// Gives a tensor for each parameter name. Errors are collected, so that all can be reported at once.
pub trait Source {
    /// The parameter called `name`, of this shape.
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], init: Init) -> Tensor<D>;
}

/// Seeded random parameters: the same seed gives the same bytes on any device.
#[derive(Debug)]
pub struct RandomSource {
    rng: ChaCha8Rng,
    device: Device,
    lively: bool,
}

impl RandomSource {
    /// Starts the generator.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device: device.clone(), lively: false }
    }

    /// Parameters large enough that every part of a model matters: matrices of standard deviation 0.2,
    /// and noise of 0.2 on biases and norm weights. Default initialisation makes every block nearly an
    /// identity, which hides mistakes.
    pub fn lively(seed: u64, device: &Device) -> Self {
        Self { lively: true, ..Self::new(seed, device) }
    }
}

impl Source for RandomSource {
    fn take<const D: usize>(&mut self, _name: &str, shape: [usize; D], init: Init) -> Tensor<D> {
        let count = shape.iter().product();
        let (mean, std) = match (init, self.lively) {
            (Init::Constant(mean), lively) => (mean, if lively { 0.2 } else { 0.0 }),
            (Init::Normal(std), lively) => (0.0, if lively { 0.2 } else { std }),
        };
        let values: Vec<f32> = if std == 0.0 {
            vec![mean; count]
        } else {
            StandardNormal.sample_iter(&mut self.rng).take(count).map(|x| mean + x * std).collect()
        };
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// Standard normal numbers by the Box–Muller transform.
struct StandardNormal;

impl Distribution<f32> for StandardNormal {
    fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> f32 {
        let (radius, angle): (f64, f64) = (rng.random(), rng.random());
        ((-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }
}
