//! The sign test of a circuit against its model.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

use super::refuse::refuse;
use crate::error::Result;

/// How often the model is ahead of the circuit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Equivalence {
    /// Metric of the model minus metric of the circuit, `[prompt]`, in the metric's units.
    pub differences: Vec<f64>,
    /// Prompts with another metric.
    pub unequal: usize,
    /// Those of them on which the model is ahead.
    pub ahead: usize,
    /// How far from one half the chance to be ahead may be.
    pub epsilon: f64,
    /// The p-value against the null that the chance is within `epsilon` of one half: small if they differ. 1 if the metrics
    /// are equal on every prompt.
    pub p_value: f64,
    /// The p-value against the null that the chance is `epsilon` or more from one half: small if they are equivalent.
    /// `None` if the metrics are equal on every prompt, which needs no test.
    pub p_equivalent: Option<f64>,
}

impl Equivalence {
    /// From the metrics of model and circuit, `[prompt]`.
    ///
    /// # Errors
    ///
    /// An `epsilon` outside `(0, 0.5)`.
    pub fn of(model: &[f64], circuit: &[f64], epsilon: f64) -> Result<Self> {
        if !(epsilon > 0.0 && epsilon < 0.5) {
            return Err(refuse(format!("epsilon is {epsilon}; give a number between 0 and 0.5, such as 0.1")));
        }
        let differences: Vec<f64> = model.iter().zip(circuit).map(|(model, circuit)| model - circuit).collect();
        let unequal = differences.iter().filter(|difference| **difference != 0.0).count();
        let ahead = differences.iter().filter(|difference| **difference > 0.0).count();
        let p_equivalent = (unequal > 0).then(|| equivalent(unequal as u64, ahead as u64, epsilon));
        let p_value = unlike(unequal as u64, ahead as u64, epsilon);
        Ok(Self { differences, unequal, ahead, epsilon, p_value, p_equivalent })
    }
}

fn binomial(n: u64, p: f64) -> Binomial {
    Binomial::new(p, n).expect("BUG: a probability between 0 and 1")
}

/// The probability of a count as far from one half as `ahead`, if the chance is `1/2 + epsilon`. The sum over both sides
/// is the same for `1/2 - epsilon`.
fn unlike(n: u64, ahead: u64, epsilon: f64) -> f64 {
    let far = |k: u64| (2 * k).abs_diff(n);
    let at = binomial(n, 0.5 + epsilon);
    (0..=n).filter(|k| far(*k) >= far(ahead)).map(|k| at.pmf(k)).sum::<f64>().min(1.0)
}

/// The larger of the two one-sided p-values.
fn equivalent(n: u64, ahead: u64, epsilon: f64) -> f64 {
    let below = binomial(n, 0.5 + epsilon).cdf(ahead);
    let above = ahead.checked_sub(1).map_or(1.0, |under| binomial(n, 0.5 - epsilon).sf(under));
    below.max(above)
}
