//! Composition scores of random heads.

use arrakis_models::HookedTransformer;
use arrakis_models::transformer::{Init, RandomSource, Source};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::FactoredMatrix;
use crate::tools::shared::composition::share;
use crate::tools::shared::score_table::mean;

/// The composition scores of pairs of random heads.
///
/// If the entries are independent and normal, the squared score has the mean `1/d_model` for any `d_head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomBaseline {
    /// The mean score.
    pub mean: f64,
    /// The standard deviation of a score.
    pub sd: f64,
    /// The score of each pair, `[draw]`.
    pub scores: Vec<f64>,
    /// The seed of the draws.
    pub seed: u64,
}

impl RandomBaseline {
    pub(super) fn draw(model: &HookedTransformer, draws: usize, seed: u64) -> Result<Self> {
        if draws < 2 {
            let problem = format!("{draws} draws have no spread; give at least 2");
            return Err(Error::Value { of: "RandomBaseline", problem });
        }
        let (d_model, d_head) = (model.config().d_model, model.config().d_head);
        let mut source = RandomSource::new(seed, model.device());
        let mut heads = || {
            let a = source.take("a", [draws, d_model, d_head], Init::Normal(1.0));
            FactoredMatrix::new(a, source.take("b", [draws, d_head, d_model], Init::Normal(1.0)))
        };
        let (left, right) = (heads()?, heads()?);
        let products = left.product(&right)?.norms()?;
        let norms = left.norms()?.into_iter().zip(right.norms()?);
        let scores: Vec<f64> =
            products.into_iter().zip(norms).map(|(product, (left, right))| share(product, left, right)).collect();
        let mean = mean(&scores);
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        Ok(Self { mean, sd: (squares / (draws - 1) as f64).sqrt(), scores, seed })
    }
}
