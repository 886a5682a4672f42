//! Numbers for the tests of kernels.

use burn::tensor::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Normal-sized random numbers.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-6.0..6.0)).collect()
}

/// Rows of so many numbers, on the CPU.
pub(super) fn rows(x: &[f32], width: usize) -> Tensor<2> {
    Tensor::<1>::from_floats(x, &Device::flex()).reshape([x.len() / width, width])
}

/// A grid from -120 to 120, and random bit patterns: numbers of every size, but no NaN.
pub(super) fn spread_numbers() -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let grid = (-120_000..=120_000).map(|i| i as f32 * 1e-3);
    let any = std::iter::repeat_with(move || f32::from_bits(rng.random()));
    grid.chain(any.filter(|x| x.is_finite()).take(100_000)).collect()
}

/// Lengths with every kind of end.
pub(super) fn every_size() -> Vec<usize> {
    (0..70).chain([1000, 16_383, 16_385, 40_001]).collect()
}

pub(super) fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Every number is as near to the exact one as `tolerance` of input and exact output says.
pub(super) fn assert_within(
    what: &str,
    inputs: &[f32],
    ours: &[f32],
    exact: &[f64],
    tolerance: impl Fn(f64, f64) -> f64,
) {
    assert_eq!((inputs.len(), ours.len()), (exact.len(), exact.len()), "{what}");
    for ((x, ours), exact) in inputs.iter().zip(ours).zip(exact) {
        let error = (f64::from(*ours) - exact).abs();
        let allowed = tolerance(f64::from(*x), *exact);
        assert!(error <= allowed, "{what}({x:e}) is {ours:e}, not {exact:e}: {error:e} off, {allowed:e} allowed");
    }
}
