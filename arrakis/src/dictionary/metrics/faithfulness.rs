//! The length and the direction of a dictionary's output.

use serde::{Deserialize, Serialize};

use super::coded::Coded;
use super::some;
use crate::corpus::Sums;
use crate::error::Result;

/// Length ratio, relative bias and cosine of outputs and targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    tokens: u64,
    /// Of length ratios, cosines, squares of the output, and products of output and target.
    sums: Sums,
}

const RATIOS: usize = 0;
const COSINES: usize = 1;
const SQUARES: usize = 2;
const PRODUCTS: usize = 3;

impl Default for Faithfulness {
    fn default() -> Self {
        Self { tokens: 0, sums: Sums::new(4) }
    }
}

/// The length below which a target is not divided by, as in `SAELens`.
const SHORT: f64 = 1e-4;

impl Faithfulness {
    /// Of no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a batch.
    pub fn add(&mut self, coded: &Coded) {
        // Sums of one batch are plain: it is the same batch on every machine.
        let mut sums = [0.0; 4];
        for (target, output) in coded.pairs() {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let (long, square, product) = (dot(target, target).sqrt(), dot(output, output), dot(target, output));
            sums[RATIOS] += square.sqrt() / if long < SHORT { 1.0 } else { long };
            sums[COSINES] += if long * square > 0.0 { product / (long * square.sqrt()) } else { 0.0 };
            sums[SQUARES] += square;
            sums[PRODUCTS] += product;
        }
        sums.into_iter().enumerate().for_each(|(at, sum)| self.sums.add(at, sum));
        self.tokens += coded.tokens() as u64;
    }

    /// Adds what another has seen. All orders give the same bits.
    pub fn join(&mut self, other: &Self) {
        self.sums.join(&other.sums);
        self.tokens += other.tokens;
    }

    /// The mean over tokens of `‖x̂‖ / ‖x‖`. Below 1, outputs have shrunk. A target shorter than 1e-4 counts as one of
    /// length 1.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn l2_ratio(&self) -> Result<f64> {
        some("Faithfulness", self.tokens)?;
        Ok(self.sums.get(RATIOS) / self.tokens as f64)
    }

    /// `E‖x̂‖² / E(x · x̂)`: 1 for an output that no factor would improve, below 1 if it has shrunk. Not a number if no output
    /// has anything of its target.
    ///
    /// Source: Rajamanoharan et al., <https://arxiv.org/abs/2404.16014>, equation 10.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn relative_bias(&self) -> Result<f64> {
        some("Faithfulness", self.tokens)?;
        Ok(self.sums.get(SQUARES) / self.sums.get(PRODUCTS))
    }

    /// The mean cosine of output and target; a vector of length 0 counts as 0.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn cosine(&self) -> Result<f64> {
        some("Faithfulness", self.tokens)?;
        Ok(self.sums.get(COSINES) / self.tokens as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::{coded, reference};
    use crate::tools::testing::close;

    #[test]
    fn an_output_of_half_the_length_by_hand() {
        let mut found = Faithfulness::new();
        found.add(&coded(&[[3.0, 4.0], [0.0, 2.0]], &[[1.5, 2.0], [0.0, 1.0]], &[[0.0]; 2]));
        let numbers = [found.l2_ratio().unwrap(), found.relative_bias().unwrap(), found.cosine().unwrap()];
        assert_eq!(numbers, [0.5, 0.5, 1.0]);
    }

    #[test]
    fn a_zero_output_is_a_number() {
        let mut found = Faithfulness::new();
        found.add(&coded(&[[3.0, 4.0], [0.0, 0.0]], &[[0.0, 0.0], [0.0, 0.5]], &[[0.0]; 2]));
        assert_eq!((found.l2_ratio().unwrap(), found.cosine().unwrap()), (0.25, 0.0));
    }

    #[test]
    fn it_is_that_of_sae_lens() {
        let (reference, mut found) = (reference(), Faithfulness::new());
        reference.batches().iter().for_each(|batch| found.add(batch));
        close(found.l2_ratio().unwrap(), reference.number("l2_ratio"), 1e-6);
        close(found.relative_bias().unwrap(), reference.number("relative_reconstruction_bias"), 1e-6);
        close(found.cosine().unwrap(), reference.number("cossim"), 1e-6);
    }
}
