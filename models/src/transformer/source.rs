//! Where parameters come from while a model is built: a checkpoint, or a seeded generator.

use std::num::NonZero;

use arrakis_kernels::{WORDS_OF_A_NORMAL, draw_normal};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
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
        let mut values = vec![mean; count];
        if std != 0.0 {
            standard_normal(&mut self.rng, &mut values);
            for x in &mut values {
                *x = mean + *x * std;
            }
        }
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// Numbers that one thread draws. Fewer are drawn without another thread.
const SHARE: usize = 1 << 16;

/// Fills a slice with standard normal numbers by the Box–Muller transform, on all cores. Each number has its own words of
/// the generator, so the numbers do not depend on the cores.
fn standard_normal(rng: &mut ChaCha8Rng, values: &mut [f32]) {
    let first = rng.get_word_pos();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = values.len().div_ceil(threads).max(SHARE);
    let words_before = |numbers: usize| first + (WORDS_OF_A_NORMAL * numbers) as u128;
    let draw = |part: usize, own: &mut [f32]| {
        let mut rng = rng.clone();
        rng.set_word_pos(words_before(part * share));
        draw_normal(&mut rng, own);
    };
    std::thread::scope(|scope| {
        let mut parts = values.chunks_mut(share).enumerate();
        let own = parts.next();
        parts.for_each(|(part, values)| drop(scope.spawn(move || draw(part, values))));
        if let Some((part, values)) = own {
            draw(part, values);
        }
    });
    rng.set_word_pos(words_before(values.len()));
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    /// As `rand` draws them, one after another.
    fn one_by_one(rng: &mut ChaCha8Rng) -> f32 {
        let (radius, angle): (f64, f64) = (rng.random(), rng.random());
        ((-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }

    #[test]
    fn many_numbers_are_those_that_one_thread_draws_one_by_one() {
        let (mut all, mut single) = (ChaCha8Rng::seed_from_u64(7), ChaCha8Rng::seed_from_u64(7));
        for count in [1, 0, 3, SHARE - 1, 2 * SHARE + 5, 2] {
            let mut values = vec![0.0; count];
            standard_normal(&mut all, &mut values);
            let expected: Vec<f32> = (0..count).map(|_| one_by_one(&mut single)).collect();
            assert_eq!(values, expected, "{count}");
        }
    }

    #[test]
    fn a_large_sample_has_the_moments_of_the_normal_distribution() {
        let mut values = vec![0.0; 200_000];
        standard_normal(&mut ChaCha8Rng::seed_from_u64(1), &mut values);
        let moment = |power: i32| values.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / values.len() as f64;
        // Four standard errors: sqrt(variance of the power / n).
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error: f64 = moment(power) - expected;
            assert!(error.abs() < 4.0 * f64::sqrt(variance / values.len() as f64), "moment {power}: {error}");
        }
    }
}
