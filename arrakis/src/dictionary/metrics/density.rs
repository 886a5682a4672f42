//! How often each latent fires.

use serde::{Deserialize, Serialize};

use super::coded::Coded;
use super::some;
use crate::error::Result;
use crate::plot::Histogram;

/// The share of tokens on which each latent is not 0. It holds 8 bytes a latent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Density {
    tokens: u64,
    active: Vec<u64>,
}

impl Density {
    /// Of no tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a batch.
    pub fn add(&mut self, coded: &Coded) {
        self.active.resize(coded.d_sae(), 0);
        for latents in coded.latents() {
            self.active.iter_mut().zip(latents).for_each(|(active, latent)| *active += u64::from(*latent != 0.0));
        }
        self.tokens += coded.tokens() as u64;
    }

    /// Adds what another has seen of the same latents.
    pub fn join(&mut self, other: &Self) {
        self.active.resize(self.active.len().max(other.active.len()), 0);
        self.active.iter_mut().zip(&other.active).for_each(|(own, other)| *own += other);
        self.tokens += other.tokens;
    }

    /// Number of tokens.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The firing rate of each latent, `[d_sae]`, from 0 to 1.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn rates(&self) -> Result<Vec<f64>> {
        some("Density", self.tokens)?;
        Ok(self.active.iter().map(|active| *active as f64 / self.tokens as f64).collect())
    }

    /// Log10 of the firing rates, `[d_sae]`; -10 for a latent that never fires, as in `SAELens`'s `sparsity.safetensors`.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn log10(&self) -> Result<Vec<f64>> {
        Ok(self.rates()?.into_iter().map(|rate| (rate + 1e-10).log10()).collect())
    }

    /// How many latents fire on a smaller share of tokens, such as 1e-5 or 1e-6. With fewer tokens than `1 / rate` these are
    /// those that never fired.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn rarer_than(&self, rate: f64) -> Result<usize> {
        Ok(self.rates()?.into_iter().filter(|own| *own < rate).count())
    }

    /// How many latents fire on a larger share of tokens, such as 0.01 or 0.1.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn denser_than(&self, rate: f64) -> Result<usize> {
        Ok(self.rates()?.into_iter().filter(|own| *own > rate).count())
    }

    /// The distribution of the firing rates, as powers of ten.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn histogram(&self) -> Result<Histogram> {
        let title = format!("firing rates of {} latents over {} tokens", self.active.len(), self.tokens);
        Ok(Histogram::new("log10 of the firing rate", self.log10()?).bins(50).titled(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::{coded, reference};
    use crate::tools::testing::close;

    #[test]
    fn by_hand() {
        let mut density = Density::new();
        density.add(&coded(&[[0.0]; 2], &[[0.0]; 2], &[[1.0, 0.0, -1.0], [2.0, 0.0, 0.0]]));
        assert_eq!(density.rates().unwrap(), [1.0, 0.0, 0.5]);
        assert_eq!((density.rarer_than(1e-6).unwrap(), density.denser_than(0.5).unwrap()), (1, 1));
        close(density.log10().unwrap()[1], -10.0, 1e-9);
        assert_eq!(density.histogram().unwrap().values.len(), 3);
    }

    #[test]
    fn it_is_that_of_numpy() {
        let (reference, mut density) = (reference(), Density::new());
        reference.batches().iter().for_each(|batch| density.add(batch));
        for (own, theirs) in density.rates().unwrap().iter().zip(reference.numbers("feature_density")) {
            close(*own, theirs, 1e-7);
        }
    }
}
