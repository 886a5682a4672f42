//! How often a circuit is ahead of random ones.

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::part::CircuitPart;
use super::refuse::refuse;
use super::study::{Circuit, Study, Unit, distance};
use crate::error::Result;

/// A circuit beside random ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wins {
    /// The circuit's distance from the model: the mean square difference of the metric.
    pub distance: f64,
    /// The distances of the random circuits.
    pub random: Vec<f64>,
    /// Whether the circuit is ahead of each of them; a tie is not. As the sample of a claim: `test = Binomial`, the quantile as
    /// the null, `alternative = Greater`.
    pub wins: Vec<bool>,
    /// The share that it must be ahead of.
    pub quantile: f64,
    /// The p-value against the null that it is ahead of this share at most.
    pub p_value: f64,
}

impl Wins {
    pub(super) fn of(distance: f64, random: Vec<f64>, quantile: f64, ahead: fn(f64, f64) -> bool) -> Result<Self> {
        if random.is_empty() {
            return Err(refuse("0 random circuits give no p-value; draw at least 29 for a quantile of 0.9"));
        }
        let wins: Vec<bool> = random.iter().map(|other| ahead(distance, *other) && !tied(distance, *other)).collect();
        let (n, count) = (wins.len() as u64, wins.iter().filter(|win| **win).count() as u64);
        let p_value = count.checked_sub(1).map_or(1.0, |under| binomial(n, quantile).sf(under));
        Ok(Self { distance, random, wins, quantile, p_value })
    }

    /// The number of random circuits that it is ahead of.
    pub fn count(&self) -> usize {
        self.wins.iter().filter(|win| **win).count()
    }
}

/// A part of a circuit beside parts that the circuit does not have, or an edge beside edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinimalPart<U = CircuitPart> {
    /// The part or the edge.
    pub part: U,
    /// How far the metric moves without it: a mean square difference.
    pub effect: f64,
    /// How far the metric moves without each part that was added to the circuit.
    pub added: Vec<f64>,
    /// The number of them that it is ahead of or level with.
    pub ahead: usize,
    /// The p-value against the null that it is ahead of a share `quantile` of them: small if it is not needed.
    pub p_value: f64,
    /// The same times the number of parts, at most 1.
    pub p_corrected: f64,
}

/// Every unit beside every addition of one unit.
pub(super) fn minimality<U: Unit>(
    study: &Study<U>,
    circuit: &Circuit<U>,
    quantile: f64,
) -> Result<Vec<MinimalPart<U>>> {
    let fewer = circuit.iter().map(|part| changed(circuit, |parts| parts.remove(part)));
    let more = study.without(circuit).into_iter().map(|part| changed(circuit, |parts| parts.insert(part)));
    let all: Vec<Circuit<U>> = std::iter::once(circuit.clone()).chain(fewer).chain(more).collect();
    let scores = study.scores(&all)?;
    let effects: Vec<f64> = scores[1..].iter().map(|scores_of| distance(scores_of, &scores[0])).collect();
    let (own, added) = effects.split_at(circuit.len());
    let minimal = |(part, effect): (&U, &f64)| {
        let ahead = added.iter().filter(|other| effect > other || tied(*effect, **other)).count();
        let p_value = binomial(added.len() as u64, quantile).cdf(ahead as u64);
        let p_corrected = (p_value * circuit.len() as f64).min(1.0);
        MinimalPart { part: *part, effect: *effect, added: added.to_vec(), ahead, p_value, p_corrected }
    };
    Ok(circuit.iter().zip(own).map(minimal).collect())
}

fn changed<U: Unit>(circuit: &Circuit<U>, change: impl FnOnce(&mut Circuit<U>) -> bool) -> Circuit<U> {
    let mut circuit = circuit.clone();
    change(&mut circuit);
    circuit
}

/// Draws circuits.
pub(super) struct Sampler(ChaCha8Rng);

impl Sampler {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// So many circuits of `size` units, each drawn without replacement.
    pub(super) fn circuits<U: Unit>(&mut self, units: &[U], size: usize, count: usize) -> Vec<Circuit<U>> {
        (0..count).map(|_| units.choose_multiple(&mut self.0, size).copied().collect()).collect()
    }
}

/// Equal up to the rounding of a forward.
fn tied(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

fn binomial(n: u64, p: f64) -> Binomial {
    Binomial::new(p, n).expect("BUG: a probability between 0 and 1")
}

/// Checks a quantile before anything runs.
pub(super) fn check(quantile: f64) -> Result<()> {
    if quantile > 0.0 && quantile < 1.0 {
        return Ok(());
    }
    Err(refuse(format!("the quantile is {quantile}; give a number between 0 and 1, such as 0.9")))
}
