//! How much of the variance a dictionary keeps.

use serde::{Deserialize, Serialize};

use super::coded::Coded;
use super::some;
use crate::corpus::Sums;
use crate::error::{Error, Result};

/// Explained variance, `1 - E‖x - x̂‖² / (E‖x‖² - ‖E x‖²)`.
///
/// All tokens and dimensions count together, so it is 0 for an output that is always the mean, and below 0 for one that is
/// worse. The mean of a ratio for each token, which is also in use, is not 0 there. It holds 28 bytes a dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedVariance {
    tokens: u64,
    /// Of the targets, `[d_out]`; empty before the first batch.
    sum: Sums,
    /// Of squares of the targets, and of what is left over.
    squares: Sums,
}

const TARGET: usize = 0;
const RESIDUAL: usize = 1;

impl Default for ExplainedVariance {
    fn default() -> Self {
        Self { tokens: 0, sum: Sums::default(), squares: Sums::new(2) }
    }
}

impl ExplainedVariance {
    /// Of no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a batch.
    pub fn add(&mut self, coded: &Coded) {
        if self.sum.is_empty() {
            self.sum = Sums::new(coded.width());
        }
        // Sums of one batch are plain: it is the same batch on every machine.
        let (mut sums, mut squares, mut residual) = (vec![0.0; coded.width()], 0.0, 0.0);
        for (target, output) in coded.pairs() {
            for ((sum, x), y) in sums.iter_mut().zip(target).zip(output) {
                let (x, y) = (f64::from(*x), f64::from(*y));
                *sum += x;
                squares += x * x;
                residual += (x - y) * (x - y);
            }
        }
        sums.into_iter().enumerate().for_each(|(at, sum)| self.sum.add(at, sum));
        self.squares.add(TARGET, squares);
        self.squares.add(RESIDUAL, residual);
        self.tokens += coded.tokens() as u64;
    }

    /// Adds what another has seen. All orders give the same bits.
    ///
    /// # Panics
    ///
    /// If the other is of another width.
    pub fn join(&mut self, other: &Self) {
        if self.sum.is_empty() {
            self.sum = Sums::new(other.sum.len());
        }
        if !other.sum.is_empty() {
            self.sum.join(&other.sum);
        }
        self.squares.join(&other.squares);
        self.tokens += other.tokens;
    }

    /// Mean squared distance of a token's output, summed over dimensions, in squared units of the site.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn mse(&self) -> Result<f64> {
        some("ExplainedVariance", self.tokens)?;
        Ok(self.squares.get(RESIDUAL) / self.tokens as f64)
    }

    /// Total variance of the targets, in squared units of the site.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn variance(&self) -> Result<f64> {
        some("ExplainedVariance", self.tokens)?;
        let count = self.tokens as f64;
        Ok(self.squares.get(TARGET) / count - self.sum.values().map(|sum| (sum / count).powi(2)).sum::<f64>())
    }

    /// The share of the variance that is kept, 1 at most.
    ///
    /// # Errors
    ///
    /// No token was seen, and targets that do not vary.
    pub fn share(&self) -> Result<f64> {
        let variance = self.variance()?;
        if variance <= 1e-12 * self.squares.get(TARGET) / self.tokens as f64 {
            let problem = "the activations do not vary, so no share of their variance can be kept; give more tokens";
            return Err(Error::Value { of: "ExplainedVariance", problem: problem.into() });
        }
        Ok(1.0 - self.mse()? / variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::{coded, reference};
    use crate::tools::testing::close;

    #[test]
    fn the_mean_explains_nothing_and_the_input_all() {
        let x = [[1.0, 5.0], [3.0, 5.0], [8.0, 2.0]];
        for (output, share) in [([[4.0, 4.0]; 3], 0.0), (x, 1.0)] {
            let mut variance = ExplainedVariance::new();
            variance.add(&coded(&x, &output, &[[0.0]; 3]));
            close(variance.share().unwrap(), share, 1e-12);
        }
    }

    /// A mean a thousand times the spread: sums in float32 lose the variance.
    #[test]
    fn a_large_mean_does_no_harm() {
        let mut variance = ExplainedVariance::new();
        for _ in 0..1000 {
            variance.add(&coded(&[[1000.0], [1001.0]], &[[1000.0], [1000.5]], &[[0.0]; 2]));
        }
        close(variance.variance().unwrap(), 0.25, 1e-8);
        close(variance.share().unwrap(), 1.0 - 0.125 / 0.25, 1e-6);
    }

    #[test]
    fn it_is_that_of_sae_lens() {
        let (reference, mut variance) = (reference(), ExplainedVariance::new());
        reference.batches().iter().for_each(|batch| variance.add(batch));
        close(variance.share().unwrap(), reference.number("explained_variance"), 1e-6);
        close(variance.mse().unwrap(), reference.number("mse"), 1e-5);
    }

    #[test]
    fn mistakes_are_named() {
        let mut variance = ExplainedVariance::new();
        let said = variance.share().unwrap_err().to_string();
        assert_eq!(said, "`ExplainedVariance`: it has seen no token; add a batch first");
        variance.add(&coded(&[[2.0], [2.0]], &[[1.0], [1.0]], &[[0.0]; 2]));
        let said = variance.share().unwrap_err().to_string();
        assert!(said.starts_with("`ExplainedVariance`: the activations do not vary"), "{said}");
    }
}
