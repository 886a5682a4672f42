//! The same training from several seeds: what is luck, and what is not.

use std::fmt;

use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Init};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::learner::{Learner, Trained};
use super::settings::{Training, refuse};
use super::source::Source;
use super::trainer::Trainer;
use crate::dictionary::metrics::mcc;
use crate::error::Result;
use crate::fmt::short;
use crate::hypothesis::stats::one_sample_t_interval;

/// The level of the interval of a mean over seeds.
const LEVEL: f64 = 0.95;

/// Dictionaries that differ only in their seeds, trained on the same batches.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// One for each seed, named after it.
    pub trained: Vec<Trained>,
}

/// A number over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Number of seeds.
    pub seeds: usize,
    /// The mean.
    pub mean: f64,
    /// The standard deviation over seeds, with `seeds - 1`.
    pub sd: f64,
    /// The smallest and the largest.
    pub range: [f64; 2],
    /// The 95 % interval of the mean over all seeds, by Student's t; `None` for pairs of seeds, which are not independent.
    #[serde(default)]
    pub interval: Option<[f64; 2]>,
}

impl Seeds {
    /// Trains one dictionary for each seed from 0. The seed decides the first weights and what is drawn in training.
    ///
    /// # Errors
    ///
    /// Fewer than two seeds, and those of [`Trainer::run`].
    pub fn train(
        config: &DictionaryConfig,
        training: &Training,
        seeds: u64,
        device: &Device,
        source: &mut dyn Source,
    ) -> Result<Self> {
        if seeds < 2 {
            return Err(refuse(format!("{seeds} seeds have no spread; give at least 2, better 3 or more")));
        }
        let learner = |seed: u64| {
            let dictionary = Dictionary::new(config.clone(), &Init::default(), seed, device)?;
            Learner::new(&format!("seed {seed}"), dictionary, &training.clone().seed(seed))
        };
        let learners = (0..seeds).map(learner).collect::<Result<Vec<_>>>()?;
        Ok(Self { trained: Trainer::new(learners).run(source)? })
    }

    /// A number of each dictionary, over the seeds.
    ///
    /// # Errors
    ///
    /// Those of `measure`.
    pub fn spread(&self, mut measure: impl FnMut(&Trained) -> Result<f64>) -> Result<Spread> {
        let values = self.trained.iter().map(&mut measure).collect::<Result<Vec<_>>>()?;
        let interval = one_sample_t_interval(&values, LEVEL)?;
        Ok(Spread { interval: Some([interval.low, interval.high]), ..Spread::of(&values) })
    }

    /// How alike the decoders of two seeds are: the [`mcc`] of each pair, over pairs. A low one means that the features are
    /// an accident of the seed.
    ///
    /// # Errors
    ///
    /// Those of [`mcc`].
    pub fn agreement(&self) -> Result<Spread> {
        let decoders: Vec<_> = self.trained.iter().map(|trained| trained.dictionary.w_dec.val()).collect();
        let mut pairs = Vec::new();
        for (at, one) in decoders.iter().enumerate() {
            for other in &decoders[at + 1..] {
                pairs.push(mcc(one.clone(), other.clone())?);
            }
        }
        Ok(Spread::of(&pairs))
    }
}

impl Spread {
    /// Of one number a seed; of one alone the deviation is 0.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let range = values
            .iter()
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(*value), high.max(*value)]);
        let sd = (squares / (count - 1.0).max(1.0)).sqrt();
        Self { seeds: values.len(), mean, sd, range, interval: None }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, sd, range: [low, high], seeds, interval } = self;
        write!(f, "{} ± {} ({} to {}, {seeds} values", short(*mean), short(*sd), short(*low), short(*high))?;
        if let Some([low, high]) = interval {
            write!(f, "; 95 % interval of the mean {} to {}", short(*low), short(*high))?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;

    #[test]
    fn a_spread_by_hand() {
        let spread = Spread::of(&[1.0, 2.0, 6.0]);
        assert_eq!((spread.mean, spread.range, spread.seeds), (3.0, [1.0, 6.0], 3));
        close(spread.sd, 7.0_f64.sqrt(), 1e-12);
        assert_eq!(spread.to_string(), "3 ± 2.6458 (1 to 6, 3 values)");
        assert_eq!(Spread::of(&[2.0]).sd, 0.0);
        assert_eq!(spread.interval, None);
    }
}
