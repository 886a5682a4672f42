//! The Hilbert-Schmidt independence criterion of two scores, by permutation.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::refuse::refuse;
use crate::error::Result;
use crate::hypothesis::{Claim, IntoSample as _, Null, Verdict};

/// How dependent the metric without a circuit is on the model's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Independence {
    /// HSIC: 0 for independent scores, at most 1.
    pub hsic: f64,
    /// HSIC of permuted prompts, `[draw]`.
    pub permuted: Vec<f64>,
    /// The share of permutations with at least this HSIC, the unpermuted one included.
    pub p_value: f64,
}

impl Independence {
    /// From two scores of the same prompts, `[prompt]`.
    ///
    /// # Errors
    ///
    /// Those of [`hsic`], and no draws.
    pub fn of(a: &[f64], b: &[f64], draws: usize, seed: u64) -> Result<Self> {
        if draws == 0 {
            return Err(refuse("0 permutations give no p-value; draw at least 19"));
        }
        let (k, l) = (centred(&kernel(a)?), kernel(b)?);
        let mut order: Vec<usize> = (0..a.len()).collect();
        let observed = trace(&k, &l, &order);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || {
            order.shuffle(&mut rng);
            trace(&k, &l, &order)
        };
        let permuted: Vec<f64> = (0..draws).map(|_| draw()).collect();
        // The same permutation gives the same number up to rounding.
        let extreme = permuted.iter().filter(|value| **value >= observed - 1e-12).count();
        Ok(Self { hsic: observed, p_value: (extreme + 1) as f64 / (draws + 1) as f64, permuted })
    }

    /// The verdict on a claim about the HSIC, against the permuted prompts.
    ///
    /// # Errors
    ///
    /// Those of [`Claim::judge`].
    pub fn judge(&self, claim: &Claim) -> Result<Verdict> {
        claim.judge(self.hsic.into_sample()?, Null::Sample(self.permuted.clone().into_sample()?))
    }
}

/// `tr(K H L H) / (n - 1)²` with Gaussian kernels whose width is the median distance of each score.
///
/// # Errors
///
/// Scores of different lengths, fewer than four, or more than half of all pairs equal.
pub fn hsic(a: &[f64], b: &[f64]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(refuse(format!("{} scores cannot be paired with {}", a.len(), b.len())));
    }
    let order: Vec<usize> = (0..a.len()).collect();
    Ok(trace(&centred(&kernel(a)?), &kernel(b)?, &order))
}

/// `exp(-d² / 2σ²)`, `[n][n]`.
fn kernel(values: &[f64]) -> Result<Vec<Vec<f64>>> {
    if values.len() < 4 {
        return Err(refuse(format!("{} prompts cannot show a dependence; give at least 4", values.len())));
    }
    let mut distances: Vec<f64> =
        values.iter().enumerate().flat_map(|(at, a)| values[..at].iter().map(move |b| (a - b).abs())).collect();
    distances.sort_by(f64::total_cmp);
    let middle = distances.len() / 2;
    let median = if distances.len().is_multiple_of(2) {
        f64::midpoint(distances[middle - 1], distances[middle])
    } else {
        distances[middle]
    };
    if median == 0.0 {
        return Err(refuse(
            "the scores of most prompts are equal, so there is no dependence to measure; give other prompts",
        ));
    }
    let row = |a: &f64| values.iter().map(|b| (-(a - b).powi(2) / (2.0 * median * median)).exp()).collect();
    Ok(values.iter().map(row).collect())
}

/// `H K H`.
fn centred(kernel: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = kernel.len() as f64;
    let means: Vec<f64> = kernel.iter().map(|row| row.iter().sum::<f64>() / n).collect();
    let mean = means.iter().sum::<f64>() / n;
    let row = |(row, own): (&Vec<f64>, &f64)| {
        row.iter().zip(&means).map(|(value, other)| value - own - other + mean).collect()
    };
    kernel.iter().zip(&means).map(row).collect()
}

/// `Σ k[i][j] l[order i][order j] / (n - 1)²`, which is the trace for a symmetric `l`.
fn trace(k: &[Vec<f64>], l: &[Vec<f64>], order: &[usize]) -> f64 {
    let row = |(k, at): (&Vec<f64>, &usize)| k.iter().zip(order).map(|(k, to)| k * l[*at][*to]).sum::<f64>();
    k.iter().zip(order).map(row).sum::<f64>() / (k.len() as f64 - 1.0).powi(2)
}
