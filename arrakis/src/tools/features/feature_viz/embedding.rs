//! Input vectors by gradient ascent, and the real tokens nearest to them.

use arrakis_models::{Tokens, device};
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::objective::{self, Objective, ordinary};
use super::{FeatureViz, own, refuse};
use crate::corpus::Unit;
use crate::error::Result;
use crate::tools::Position;
use crate::tools::shared::common;

/// How [`FeatureViz::optimise`] searches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingSearch {
    /// Positions of the input.
    pub length: usize,
    /// Steps of gradient ascent.
    pub steps: usize,
    /// The step size of Adam, as a share of the norm limit.
    pub rate: f64,
    /// Starts: the best of 16 times as many random prompts. They run as one batch.
    pub starts: usize,
    /// Seed of the random prompts.
    pub seed: u64,
    /// The position at which the unit is read.
    pub at: Position,
}

impl Default for EmbeddingSearch {
    fn default() -> Self {
        Self { length: 4, steps: 100, rate: 0.05, starts: 4, seed: 0, at: Position::LAST }
    }
}

/// An input of vectors that activates a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimisedInput {
    /// The vectors, `[pos][d_model]`, in place of token embeddings.
    pub embeddings: Vec<Vec<f32>>,
    /// The unit's activation on them, in the units of its site.
    pub activation: f64,
    /// The highest activation among the real prompts it started from. `activation` is never below.
    pub start: f64,
    /// The real token nearest to each vector, `[pos]`.
    pub nearest: Vec<NearestToken>,
    /// The activation on the prompt of the nearest tokens.
    pub of_nearest: f64,
    /// No vector is longer than this: the norm of the longest token embedding.
    pub norm_limit: f64,
    /// Forward passes.
    pub forwards: usize,
}

/// The real token nearest to a vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearestToken {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// The cosine of the angle between them, from -1 to 1.
    pub cosine: f64,
}

impl OptimisedInput {
    /// How much of the activation the nearest real tokens miss, in the units of the unit's site.
    pub fn gap(&self) -> f64 {
        self.activation - self.of_nearest
    }
}

impl FeatureViz {
    /// Input vectors that maximise a unit, by gradient ascent on token embeddings.
    ///
    /// Vectors stay inside the ball of the longest token embedding, because most units grow without bound along some
    /// direction. The best input that was met is kept.
    ///
    /// # Errors
    ///
    /// A unit that the model does not have, settings of 0, a length beyond the context, numbers that are not finite.
    pub fn optimise(&self, unit: &Unit, search: &EmbeddingSearch) -> Result<OptimisedInput> {
        unit.check(&self.model)?;
        search.check(self.model.config().max_positions())?;
        let objective = Objective { model: &self.model, unit, at: search.at };
        let ids = ordinary(&self.model)?;
        let (rows, start, mut forwards) = search.starts(&objective, &ids)?;
        let table = objective::table(&self.model);
        let norms = common::numbers(table.clone().powf_scalar(2.0).sum_dim(1).sqrt())?;
        let limit = ids.iter().map(|id| norms[*id as usize]).fold(0.0, f64::max);
        let (activation, embeddings) = search.ascend(&objective, &rows, &table, limit).map_err(own)?;
        forwards += search.steps + 1;
        let nearest = self.nearest(&embeddings, &table, &norms, &ids)?;
        let (scored, one) = objective.of_rows(&[nearest.iter().map(|token| token.id).collect()], false)?;
        let d_model = self.model.config().d_model;
        let embeddings = device::read(embeddings)?.chunks(d_model).map(<[f32]>::to_vec).collect();
        let of_nearest = scored[0].activation;
        forwards += one;
        Ok(OptimisedInput { embeddings, activation, start, nearest, of_nearest, norm_limit: limit, forwards })
    }

    /// The ordinary token with the largest cosine to each vector of `[pos, d_model]`.
    fn nearest(&self, vectors: &Tensor<2>, table: &Tensor<2>, norms: &[f64], ids: &[u32]) -> Result<Vec<NearestToken>> {
        let own = common::numbers(vectors.clone().powf_scalar(2.0).sum_dim(1).sqrt())?;
        let products = common::rows(vectors.clone().matmul(table.clone().transpose()))?;
        let of = |(products, own): (Vec<f64>, f64)| {
            let cosines: Vec<f64> = ids
                .iter()
                .map(|id| products[*id as usize] / (own * norms[*id as usize]).max(f64::MIN_POSITIVE))
                .collect();
            let best = common::largest(&cosines, 1)[0];
            NearestToken { id: ids[best], text: common::label(&self.model, ids[best]), cosine: cosines[best] }
        };
        Ok(products.into_iter().zip(own).map(of).collect())
    }
}

impl EmbeddingSearch {
    fn check(&self, longest: usize) -> Result<()> {
        let valid = (1..=longest).contains(&self.length) && self.starts > 0 && self.rate > 0.0 && self.rate.is_finite();
        if valid {
            return Ok(());
        }
        Err(refuse(format!(
            "cannot optimise {} positions from {} starts at rate {}; give 1 to {longest} positions, and starts and a rate \
             above 0",
            self.length, self.starts, self.rate
        )))
    }

    /// The best of some random prompts, and their highest activation.
    fn starts(&self, objective: &Objective<'_>, ids: &[u32]) -> Result<(Vec<Vec<u32>>, f64, usize)> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut prompt = || (0..self.length).map(|_| ids[rng.random_range(0..ids.len())]).collect();
        let rows: Vec<Vec<u32>> = (0..16 * self.starts).map(|_| prompt()).collect();
        let (scored, forwards) = objective.of_rows(&rows, false)?;
        let values: Vec<f64> = scored.iter().map(|row| row.activation).collect();
        let best = common::largest(&values, self.starts);
        let start = values[best[0]];
        Ok((best.into_iter().map(|row| rows[row].clone()).collect(), start, forwards))
    }

    /// Gradient ascent by Adam (Kingma and Ba 2015) in the ball; the best input met and its activation.
    fn ascend(
        &self,
        objective: &Objective<'_>,
        rows: &[Vec<u32>],
        table: &Tensor<2>,
        limit: f64,
    ) -> Result<(f64, Tensor<2>)> {
        let tokens = Tokens::new(rows.to_vec())?;
        let flat: Vec<i64> = rows.iter().flatten().map(|id| i64::from(*id)).collect();
        let [_, d_model] = table.dims();
        let shape = [rows.len(), self.length, d_model];
        let flat = Tensor::<1, Int>::from_data(TensorData::new(flat, [rows.len() * self.length]), &table.device());
        let mut at = table.clone().select(0, flat).reshape(shape);
        let (mut mean, mut square) = (at.zeros_like(), at.zeros_like());
        let mut best: Option<(f64, Tensor<2>)> = None;
        for step in 0..=self.steps {
            let sloped = objective.slopes(&tokens, Some(at.clone()), &vec![0.0; rows.len()])?;
            let values: Vec<f64> = sloped.rows.iter().map(|row| row.activation).collect();
            let row = common::largest(&values, 1)[0];
            if best.as_ref().is_none_or(|(value, _)| values[row] > *value) {
                best = Some((values[row], at.clone().narrow(0, row, 1).reshape([self.length, d_model])));
            }
            let slope = sloped.at_embed;
            mean = mean * 0.9 + slope.clone() * 0.1;
            square = square * 0.999 + slope.clone() * slope * 0.001;
            let power = step as i32 + 1;
            let (first, second) = (1.0 - 0.9_f64.powi(power), 1.0 - 0.999_f64.powi(power));
            let moved = mean.clone() / first / ((square.clone() / second).sqrt() + 1e-12);
            at = inside(at + moved * (self.rate * limit / (d_model as f64).sqrt()), limit);
        }
        Ok(best.expect("BUG: there is a step 0"))
    }
}

/// Vectors longer than the limit, cut to it.
fn inside(vectors: Tensor<3>, limit: f64) -> Tensor<3> {
    let norms = (vectors.clone() * vectors.clone()).sum_dim(2).sqrt().clamp_min(1e-12);
    let share = (norms.recip() * limit).clamp_max(1.0);
    vectors * share
}
