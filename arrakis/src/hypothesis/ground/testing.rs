//! Helpers for testing the statistics: tolerances, simulated samples and reference numbers of `scipy` (see
//! `reference.py`).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::{Alternative, TestResult};

#[track_caller]
pub(crate) fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected} within {tolerance}");
}

/// One entry of `reference.json`.
pub(crate) fn reference(key: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    all.get(key).unwrap_or_else(|| panic!("no `{key}` in reference.json")).clone()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

pub(crate) fn reference_samples(key: &str) -> (Vec<f64>, Vec<f64>) {
    let entry = reference(key);
    (numbers(&entry["a"]), numbers(&entry["b"]))
}

/// Compares `test` with the statistic and the three p-values of the entry `key`.
#[track_caller]
pub(crate) fn assert_reference(key: &str, tolerance: f64, test: impl Fn(&[f64], &[f64], Alternative) -> TestResult) {
    let (entry, (a, b)) = (reference(key), reference_samples(key));
    for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
        let found = test(&a, &b, alternative);
        assert_close(found.p_value, entry[alternative.to_string()].as_f64().unwrap(), tolerance);
        assert_close(found.statistic, entry["statistic"].as_f64().unwrap(), tolerance);
        if let Some(df) = entry.get("df") {
            assert_close(found.df.unwrap(), df.as_f64().unwrap(), 1e-9);
        }
    }
}

pub(crate) fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Standard normal values by the Box-Muller method.
pub(crate) fn normals(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    let mut one = || {
        let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    };
    (0..n).map(|_| one()).collect()
}

/// Pairs of samples of these lengths: normal, skewed, of few different values, and with half of the values equal.
pub(crate) fn samples(rng: &mut ChaCha8Rng, [n_a, n_b]: [usize; 2]) -> Vec<(Vec<f64>, Vec<f64>)> {
    let shapes: [fn(f64) -> f64; 4] =
        [|x| x, |x| (1.5 * x).exp(), |x| (2.0 * x).round() / 2.0, |x| if x < 0.0 { 0.25 } else { x }];
    let sample =
        |rng: &mut ChaCha8Rng, n: usize, shape: fn(f64) -> f64| normals(rng, n).into_iter().map(shape).collect();
    shapes.into_iter().map(|shape| (sample(rng, n_a, shape), sample(rng, n_b, shape))).collect()
}

/// Values in groups of these sizes, each group around its own standard normal level with a tighter spread; and the group
/// of each value.
pub(crate) fn grouped(rng: &mut ChaCha8Rng, sizes: &[usize]) -> (Vec<f64>, Vec<usize>) {
    let levels = normals(rng, sizes.len());
    let groups: Vec<usize> = sizes.iter().enumerate().flat_map(|(group, size)| vec![group; *size]).collect();
    let noise = normals(rng, groups.len());
    let values = groups.iter().zip(noise).map(|(&group, x)| levels[group] + 0.5 * x).collect();
    (values, groups)
}

/// The share of 1000 simulated experiments with p at or below 0.05.
fn rejection_rate(test: impl Fn(&mut ChaCha8Rng, u64) -> TestResult) -> f64 {
    let rng = &mut seeded(20_260_101);
    let rejected = (0..1000).filter(|&seed| {
        let p_value = test(rng, seed).p_value;
        assert!(p_value > 0.0 && p_value <= 1.0, "p-value {p_value}");
        p_value <= 0.05
    });
    rejected.count() as f64 / 1000.0
}

/// Checks that under the null a test at 5% rejects 5% of the time, give or take 2%.
#[track_caller]
pub(crate) fn assert_null_rate(test: impl Fn(&mut ChaCha8Rng, u64) -> TestResult) {
    let rate = rejection_rate(test);
    assert!((0.03..=0.07).contains(&rate), "rejects {rate} of true nulls");
}

/// Checks that a clear effect is found at least `at_least` of the time.
#[track_caller]
pub(crate) fn assert_power(at_least: f64, test: impl Fn(&mut ChaCha8Rng, u64) -> TestResult) {
    let rate = rejection_rate(test);
    assert!(rate >= at_least, "finds {rate} of true effects");
}
