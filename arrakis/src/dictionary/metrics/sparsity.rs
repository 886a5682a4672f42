//! How many latents are active on a token.

use serde::{Deserialize, Serialize};

use super::coded::Coded;
use super::some;
use crate::corpus::Sums;
use crate::error::Result;

/// L0 and L1 over tokens.
///
/// A latent is active if it is not 0: architectures with signed latents use both signs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sparsity {
    tokens: u64,
    active: u64,
    squares: u64,
    sum: Sums,
}

impl Default for Sparsity {
    fn default() -> Self {
        Self { tokens: 0, active: 0, squares: 0, sum: Sums::new(1) }
    }
}

impl Sparsity {
    /// Of no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a batch.
    pub fn add(&mut self, coded: &Coded) {
        let mut sum = 0.0;
        for latents in coded.latents() {
            let active = latents.iter().filter(|latent| **latent != 0.0).count() as u64;
            self.active += active;
            self.squares += active * active;
            sum += latents.iter().map(|latent| f64::from(latent.abs())).sum::<f64>();
        }
        self.sum.add(0, sum);
        self.tokens += coded.tokens() as u64;
    }

    /// Adds what another has seen. All orders give the same bits.
    pub fn join(&mut self, other: &Self) {
        (self.tokens, self.active) = (self.tokens + other.tokens, self.active + other.active);
        self.squares += other.squares;
        self.sum.join(&other.sum);
    }

    /// Number of tokens.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The mean number of latents that are not 0.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn l0(&self) -> Result<f64> {
        some("Sparsity", self.tokens)?;
        Ok(self.active as f64 / self.tokens as f64)
    }

    /// The standard deviation over tokens of the number of active latents.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn l0_spread(&self) -> Result<f64> {
        let mean = self.l0()?;
        Ok((self.squares as f64 / self.tokens as f64 - mean * mean).max(0.0).sqrt())
    }

    /// The mean sum of the latents' sizes, in the units of the latents.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn l1(&self) -> Result<f64> {
        some("Sparsity", self.tokens)?;
        Ok(self.sum.get(0) / self.tokens as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::{coded, reference};
    use crate::tools::testing::close;

    #[test]
    fn by_hand() {
        let mut sparsity = Sparsity::new();
        assert_eq!(sparsity.l0().unwrap_err().to_string(), "`Sparsity`: it has seen no token; add a batch first");
        sparsity.add(&coded(&[[0.0]; 3], &[[0.0]; 3], &[[1.0, 0.0, -2.0], [0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]));
        assert_eq!((sparsity.l0().unwrap(), sparsity.l1().unwrap()), (1.0, 3.5 / 3.0));
        close(sparsity.l0_spread().unwrap(), (2.0_f64 / 3.0).sqrt(), 1e-12);
    }

    #[test]
    fn it_is_that_of_sae_lens() {
        let (reference, mut sparsity) = (reference(), Sparsity::new());
        reference.batches().iter().for_each(|batch| sparsity.add(batch));
        close(sparsity.l0().unwrap(), reference.number("l0"), 1e-6);
        close(sparsity.l1().unwrap(), reference.number("l1"), 1e-5);
    }
}
