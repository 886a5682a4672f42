//! How often the entries of a site are active.

use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::reducer::Reducer;
use crate::corpus::site_name::full_name;
use crate::corpus::state::State;
use crate::error::Result;

/// Firing rates, mean activations and maxima of every entry of a site, such as the neurons of `blocks.3.mlp.post`.
///
/// It holds 32 bytes an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    site: String,
    threshold: f32,
    count: u64,
    active: Vec<u64>,
    sum: Vec<f64>,
    sum_active: Vec<f64>,
    max: Vec<f64>,
}

impl Firing {
    /// Of a site; an entry is active above 0.
    pub fn new(site: &str) -> Self {
        let none = Vec::new();
        let (sum, sum_active, max) = (none.clone(), none.clone(), none);
        Self { site: full_name(site), threshold: 0.0, count: 0, active: Vec::new(), sum, sum_active, max }
    }

    /// Calls an entry active above this, in the units of the site.
    #[must_use]
    pub fn above(self, threshold: f32) -> Self {
        Self { threshold, ..self }
    }

    /// Number of tokens.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The share of tokens on which each entry is active, `[entry]`, from 0 to 1.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn rates(&self) -> Result<Vec<f64>> {
        some("Firing", self.count)?;
        Ok(self.active.iter().map(|active| *active as f64 / self.count as f64).collect())
    }

    /// The share of all activations that are not active, from 0 to 1.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn sparsity(&self) -> Result<f64> {
        let rates = self.rates()?;
        Ok(1.0 - rates.iter().sum::<f64>() / rates.len().max(1) as f64)
    }

    /// The entries that were never active.
    pub fn dead(&self) -> Vec<usize> {
        (0..self.active.len()).filter(|entry| self.active[*entry] == 0).collect()
    }

    /// Each entry's mean over all tokens, `[entry]`, in the units of the site.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn means(&self) -> Result<Vec<f64>> {
        some("Firing", self.count)?;
        Ok(self.sum.iter().map(|sum| sum / self.count as f64).collect())
    }

    /// Each entry's mean over the tokens on which it is active, `[entry]`; `None` where it never is.
    pub fn means_when_active(&self) -> Vec<Option<f64>> {
        let mean = |(sum, active): (&f64, &u64)| (*active > 0).then(|| sum / *active as f64);
        self.sum_active.iter().zip(&self.active).map(mean).collect()
    }

    /// Each entry's largest activation, `[entry]`, in the units of the site.
    pub fn max(&self) -> &[f64] {
        &self.max
    }
}

impl Reducer for Firing {
    fn name(&self) -> String {
        format!("firing of {} above {}", self.site, self.threshold)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.site.clone()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let rows = batch.rows(&self.site)?;
        if self.count == 0 {
            let width = rows.width();
            (self.active, self.sum) = (vec![0; width], vec![0.0; width]);
            (self.sum_active, self.max) = (vec![0.0; width], vec![f64::MIN; width]);
        }
        for token in batch.counted() {
            for (entry, value) in rows.of(token).iter().enumerate() {
                let (value, active) = (f64::from(*value), *value > self.threshold);
                self.active[entry] += u64::from(active);
                self.sum[entry] += value;
                self.sum_active[entry] += if active { value } else { 0.0 };
                self.max[entry] = self.max[entry].max(value);
            }
        }
        self.count += batch.counted().len() as u64;
        Ok(())
    }

    fn state(&self) -> Result<State> {
        State::of(self)
    }

    fn restore(&mut self, state: State) -> Result<()> {
        *self = state.data()?;
        Ok(())
    }
}
