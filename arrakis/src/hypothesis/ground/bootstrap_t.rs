//! The bootstrap-t of a mean, or of a difference of means, at every shift at once.
//!
//! Source: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), sections 12.5 and 16.4; by groups, Cameron,
//! Gelbach & Miller, "Bootstrap-based improvements for inference with clustered errors" (2008). The p-value is (b + 1) /
//! (B + 1) as in Phipson & Smyth (2010).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Alternative;
use super::units::Unit;

/// An estimate, its standard error, and the t of drawn samples.
pub(crate) struct BootstrapT {
    pub(crate) estimate: f64,
    /// Not zero.
    pub(crate) error: f64,
    /// The t of each draw, ascending.
    drawn: Vec<f64>,
    /// Their magnitudes, ascending.
    magnitudes: Vec<f64>,
}

impl BootstrapT {
    /// The mean over `units`, drawn whole; `None` if their means do not differ by more than `rounding`.
    pub(crate) fn of_mean(units: &[Unit], rounding: f64, draws: usize, seed: u64) -> Option<Self> {
        let sample = Drawn::of(units);
        let error = spread(sample.variance, units.len(), rounding)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = (0..draws).map(|_| {
            let (mean, variance) = sample.draw(&mut rng);
            t_of(mean, variance, error)
        });
        Some(Self::new(sample.mean, error, drawn.collect()))
    }

    /// The mean over `a` minus the mean over `b`, each drawn from itself.
    pub(crate) fn of_difference(a: &[Unit], b: &[Unit], rounding: f64, draws: usize, seed: u64) -> Option<Self> {
        let (a_units, b_units) = (Drawn::of(a), Drawn::of(b));
        let error = spread(a_units.variance + b_units.variance, a.len().max(b.len()), rounding)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = (0..draws).map(|_| {
            let ((of_a, variance_a), (of_b, variance_b)) = (a_units.draw(&mut rng), b_units.draw(&mut rng));
            t_of(of_a - of_b, variance_a + variance_b, error)
        });
        Some(Self::new(a_units.mean - b_units.mean, error, drawn.collect()))
    }

    fn new(estimate: f64, error: f64, mut drawn: Vec<f64>) -> Self {
        drawn.sort_by(f64::total_cmp);
        let mut magnitudes: Vec<f64> = drawn.iter().map(|t| t.abs()).collect();
        magnitudes.sort_by(f64::total_cmp);
        Self { estimate, error, drawn, magnitudes }
    }

    /// The observed t at `shift`.
    pub(crate) fn t(&self, shift: f64) -> f64 {
        (self.estimate - shift) / self.error
    }

    /// The share of draws with a t at least as extreme as the observed one at `shift`.
    pub(crate) fn p_value(&self, shift: f64, alternative: Alternative) -> f64 {
        let t = self.t(shift);
        let rounding = 1e-12 * t.abs();
        let at_least = |sorted: &[f64], t: f64| sorted.len() - sorted.partition_point(|drawn| *drawn < t - rounding);
        let extreme = match alternative {
            Alternative::Greater => at_least(&self.drawn, t),
            Alternative::Less => self.drawn.partition_point(|drawn| *drawn <= t + rounding),
            Alternative::TwoSided => at_least(&self.magnitudes, t.abs()),
        };
        (extreme as f64 + 1.0) / (self.drawn.len() as f64 + 1.0)
    }
}

/// The standard error, if it is more than rounding.
fn spread(variance: f64, units: usize, rounding: f64) -> Option<f64> {
    let error = variance.sqrt();
    (error * (units as f64).sqrt() > rounding).then_some(error)
}

/// Units that are drawn, as deviations from their mean.
struct Drawn {
    mean: f64,
    /// The square of the standard error of the mean: that of independent values if each unit is one value, otherwise the
    /// one between units.
    variance: f64,
    /// Of each unit, the sum of its deviations and its number of values.
    deviations: Vec<[f64; 2]>,
    equal: bool,
}

impl Drawn {
    fn of(units: &[Unit]) -> Self {
        let (sum, n) = units.iter().fold((0.0, 0.0), |(sum, n), unit| (sum + unit.sum, n + unit.n));
        let mean = sum / n;
        let deviations: Vec<[f64; 2]> = units.iter().map(|unit| [unit.sum - unit.n * mean, unit.n]).collect();
        let equal = units.iter().all(|unit| unit.n == units[0].n);
        let variance = between(deviations.iter().copied(), 0.0, n);
        Self { mean, variance, deviations, equal }
    }

    /// The mean deviation of a drawn sample, and the square of its standard error.
    fn draw(&self, rng: &mut ChaCha8Rng) -> (f64, f64) {
        let count = self.deviations.len();
        let pick = |rng: &mut ChaCha8Rng| self.deviations[rng.random_range(0..count as u32) as usize];
        if self.equal {
            let (sum, squares) = (0..count).fold((0.0, 0.0), |(sum, squares), _| {
                let [deviation, _] = pick(rng);
                (sum + deviation, squares + deviation * deviation)
            });
            let (units, size) = (count as f64, self.deviations[0][1]);
            let rest = (squares - sum * sum / units).max(0.0);
            return (sum / (units * size), rest / ((units - 1.0) * units * size * size));
        }
        let drawn: Vec<[f64; 2]> = (0..count).map(|_| pick(rng)).collect();
        let (sum, n) = drawn.iter().fold((0.0, 0.0), |(sum, n), unit| (sum + unit[0], n + unit[1]));
        (sum / n, between(drawn.into_iter(), sum / n, n))
    }
}

/// The square of the standard error of `mean` over units, from the spread between them.
fn between(units: impl ExactSizeIterator<Item = [f64; 2]>, mean: f64, n: f64) -> f64 {
    let count = units.len() as f64;
    count / (count - 1.0) * units.map(|[sum, n]| (sum - n * mean).powi(2)).sum::<f64>() / (n * n)
}

/// The t of a drawn sample; infinite if it has no spread, beside the standard error of the observed one.
fn t_of(mean: f64, variance: f64, observed: f64) -> f64 {
    let error = variance.sqrt();
    match mean.abs() <= 1e-12 * observed {
        true => 0.0,
        false if error <= 1e-9 * observed => f64::INFINITY.copysign(mean),
        false => mean / error,
    }
}
