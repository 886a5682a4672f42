//! How often the entries of a site are active.

use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::reducer::Reducer;
use crate::corpus::site_name::full_name;
use crate::corpus::state::State;
use crate::corpus::sums::Sums;
use crate::error::Result;

/// Firing rates, mean activations and maxima of every entry of a site, such as the neurons of `blocks.3.mlp.post`.
///
/// It holds 72 bytes an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    site: String,
    threshold: f32,
    count: u64,
    active: Vec<u64>,
    sum: Sums,
    sum_active: Sums,
    max: Vec<f64>,
}

impl Firing {
    /// Of a site; an entry is active above 0.
    pub fn new(site: &str) -> Self {
        let (sum, sum_active) = (Sums::default(), Sums::default());
        Self { site: full_name(site), threshold: 0.0, count: 0, active: Vec::new(), sum, sum_active, max: Vec::new() }
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
        Ok(self.sum.values().map(|sum| sum / self.count as f64).collect())
    }

    /// Each entry's mean over the tokens on which it is active, `[entry]`; `None` where it never is.
    pub fn means_when_active(&self) -> Vec<Option<f64>> {
        let mean = |(sum, active): (f64, &u64)| (*active > 0).then(|| sum / *active as f64);
        self.sum_active.values().zip(&self.active).map(mean).collect()
    }

    /// Each entry's largest activation, `[entry]`, in the units of the site.
    pub fn max(&self) -> &[f64] {
        &self.max
    }
}

impl Firing {
    /// Makes room for so many entries.
    fn widen(&mut self, width: usize) {
        (self.active, self.max) = (vec![0; width], vec![f64::MIN; width]);
        (self.sum, self.sum_active) = (Sums::new(width), Sums::new(width));
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
        let width = rows.width();
        if self.count == 0 {
            self.widen(width);
        }
        // Sums of one batch are plain: it is the same batch on every machine.
        let (mut sum, mut sum_active) = (vec![0.0; width], vec![0.0; width]);
        for token in batch.counted() {
            for (entry, value) in rows.of(token).iter().enumerate() {
                let (value, active) = (f64::from(*value), *value > self.threshold);
                self.active[entry] += u64::from(active);
                sum[entry] += value;
                sum_active[entry] += if active { value } else { 0.0 };
                self.max[entry] = self.max[entry].max(value);
            }
        }
        sum.into_iter().enumerate().for_each(|(entry, sum)| self.sum.add(entry, sum));
        sum_active.into_iter().enumerate().for_each(|(entry, sum)| self.sum_active.add(entry, sum));
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

    fn is_joinable(&self) -> bool {
        self.count == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        let other: Self = state.data()?;
        if other.count == 0 {
            return Ok(());
        }
        if self.count == 0 {
            self.widen(other.active.len());
        }
        self.sum.join(&other.sum);
        self.sum_active.join(&other.sum_active);
        self.active.iter_mut().zip(&other.active).for_each(|(own, other)| *own += other);
        self.max.iter_mut().zip(&other.max).for_each(|(own, other)| *own = own.max(*other));
        self.count += other.count;
        Ok(())
    }
}
