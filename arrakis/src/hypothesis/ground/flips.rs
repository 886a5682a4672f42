//! The distribution of a sum whose terms may change sign, at every shift at once.
//!
//! Source: Fisher, "The Design of Experiments" (1935); Hartigan, "Using subsample values as typical values" (1969), for
//! the interval; the Monte Carlo p-value is (b + 1) / (B + 1) as in Phipson & Smyth (2010).

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Alternative;
use super::crossing::Drawn;
use super::units::Unit;

/// The most units whose sign patterns are all enumerated (2^12 of them).
const EXACT_UP_TO: usize = 12;

/// Sign patterns of units. At a shift `d` a unit of n values and sum s contributes plus or minus `s - n d`.
pub(crate) struct Flips {
    /// For each pattern, the signed sums and the signed numbers of values.
    patterns: Vec<[f64; 2]>,
    observed: [f64; 2],
    /// The sum of magnitudes of the units and their number of values, for the rounding allowance.
    magnitude: [f64; 2],
    exact: bool,
}

impl Flips {
    /// All patterns of up to 12 units, otherwise `draws` random ones.
    pub(crate) fn of(units: &[Unit], draws: usize, seed: u64) -> Self {
        let exact = units.len() <= EXACT_UP_TO;
        let flip = |signs: &[u64]| {
            let turned = |i: usize| if signs[i / 64] >> (i % 64) & 1 == 1 { -1.0 } else { 1.0 };
            units.iter().enumerate().fold([0.0, 0.0], |[sum, n], (i, unit)| {
                let sign = turned(i);
                [sum + sign * unit.sum, n + sign * unit.n]
            })
        };
        let patterns = if exact {
            (0..1u64 << units.len()).map(|signs| flip(&[signs])).collect()
        } else {
            let (mut rng, mut signs) = (ChaCha8Rng::seed_from_u64(seed), vec![0u64; units.len().div_ceil(64)]);
            let mut next = || {
                signs.fill_with(|| rng.next_u64());
                flip(&signs)
            };
            (0..draws).map(|_| next()).collect()
        };
        let sum = |part: fn(&Unit) -> f64| units.iter().map(part).sum();
        let (observed, magnitude) =
            ([sum(|unit| unit.sum), sum(|unit| unit.n)], [sum(|unit| unit.sum.abs()), sum(|unit| unit.n)]);
        Self { patterns, observed, magnitude, exact }
    }

    /// How the p-value is computed.
    pub(crate) fn method(&self) -> &'static str {
        if self.exact { "exact" } else { "monte carlo" }
    }

    /// The smallest p-value that is possible.
    pub(crate) fn floor(&self, alternative: Alternative) -> f64 {
        let patterns = self.patterns.len() as f64;
        if self.exact { alternative.tails() as f64 / patterns } else { 1.0 / (patterns + 1.0) }
    }
}

impl Drawn for Flips {
    type Draw = [f64; 2];

    fn drawn(&self) -> &[[f64; 2]] {
        &self.patterns
    }

    fn p_of(&self, extreme: usize) -> f64 {
        let (extreme, patterns) = (extreme as f64, self.patterns.len() as f64);
        if self.exact { extreme / patterns } else { (extreme + 1.0) / (patterns + 1.0) }
    }

    fn is_extreme(&self, shift: f64, alternative: Alternative) -> impl Fn(&[f64; 2]) -> bool {
        let extremeness = move |[sum, n]: &[f64; 2]| alternative.extremeness(sum - shift * n);
        // An equal sum in another order counts as equal.
        let rounding = 1e-13 * (self.magnitude[0] + shift.abs() * self.magnitude[1]);
        let threshold = extremeness(&self.observed) - rounding;
        move |pattern| extremeness(pattern) >= threshold
    }
}
