//! Toy models of superposition: features that are squeezed into fewer dimensions, and read back.

use arrakis_models::optimizer::AdamStep;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::geometry::{FeatureGeometry, geometry};
use super::refuse;
use crate::error::Result;

/// What a toy model is trained on: `x' = ReLU(Wᵀ W x + b)`, with `W` `[m, n]`, on `Σ Iᵢ (xᵢ - x'ᵢ)²`.
///
/// A feature is active with a probability, and then between 0 and 1. Frequent features get a dimension each, and the rest are
/// dropped; rare ones share dimensions.
///
/// ```
/// use arrakis::tools::features::superposition::ToyModel;
///
/// # fn main() -> arrakis::Result<()> {
/// let pentagon = ToyModel::new(5, 2, 0.05).decaying(0.9).steps(2000).train()?;
/// let shares = pentagon.geometry()?.dimensionality;
/// println!("each of five features has {:.2} of two dimensions", shares[0]);
/// # assert_eq!(shares.len(), 5);
/// # Ok(())
/// # }
/// ```
///
/// Source: Elhage et al., "Toy Models of Superposition", 2022.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToyModel {
    /// `n`, the number of features.
    pub features: usize,
    /// `m`, the number of dimensions.
    pub dimensions: usize,
    /// The probability that a feature is active.
    pub rate: f64,
    /// `I`, what the error of each feature counts: `[n]`.
    pub importance: Vec<f64>,
    /// Steps of Adam. The learning rate falls from 0.01 to 0 along a cosine. 6000.
    pub steps: usize,
    /// Examples of a step. 128.
    pub batch: usize,
    /// Seed of the weights and the examples. 0.
    pub seed: u64,
}

/// A toy model after training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Toy {
    /// The direction of each feature, `[n][m]`.
    pub directions: Vec<Vec<f64>>,
    /// `b`, `[n]`.
    pub bias: Vec<f64>,
    /// The mean loss of an example over the last tenth of the steps.
    pub loss: f64,
}

const LEARNING_RATE: f32 = 0.01;
const BETAS: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

impl ToyModel {
    /// So many features of equal importance in so many dimensions.
    pub fn new(features: usize, dimensions: usize, rate: f64) -> Self {
        Self { features, dimensions, rate, importance: vec![1.0; features], steps: 6000, batch: 128, seed: 0 }
    }

    /// Gives feature `i` the importance `factorⁱ`.
    #[must_use]
    pub fn decaying(self, factor: f64) -> Self {
        let importance = (0..self.features).map(|feature| factor.powi(feature as i32)).collect();
        Self { importance, ..self }
    }

    /// Sets the number of steps.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Trains it, on one core: five features take a fraction of a second, a hundred a minute.
    ///
    /// # Errors
    ///
    /// A size, a number of steps or examples of 0, a probability that is not above 0 up to 1, importances that are not one positive
    /// number for each feature.
    pub fn train(&self) -> Result<Toy> {
        self.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let bound = (3.0 / self.dimensions as f32).sqrt();
        let mut own = vec![0.0; self.features * (self.dimensions + 1)];
        // Rows of `W` transposed, then the bias, which starts at 0.
        own[..self.features * self.dimensions].fill_with(|| 0.7 * rng.random_range(-bound..bound));
        let mut moments = [vec![0.0; own.len()], vec![0.0; own.len()]];
        let mut step = Step::of(self);
        let (mut last, tail) = (0.0, self.steps.div_ceil(10));
        for at in 0..self.steps {
            let loss = step.gradient(self, &own, &mut rng);
            if at + tail >= self.steps {
                last += loss / tail as f64;
            }
            let done = at as f32 / self.steps as f32;
            let rate = LEARNING_RATE * 0.5 * (1.0 + (std::f32::consts::PI * done).cos());
            let [first, second] = &mut moments;
            adam(at as i32 + 1, rate).take(&mut own, &step.gradient, first, second);
        }
        let wide = |numbers: &[f32]| numbers.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let (weights, bias) = own.split_at(self.features * self.dimensions);
        Ok(Toy { directions: weights.chunks(self.dimensions).map(wide).collect(), bias: wide(bias), loss: last })
    }

    fn check(&self) -> Result<()> {
        let Self { features, dimensions, rate, importance, steps, batch, .. } = self;
        if [features, dimensions, steps, batch].into_iter().any(|size| *size == 0) {
            let problem = format!(
                "a toy model of {features} features in {dimensions} dimensions, {steps} steps of {batch} examples, learns \
                 nothing; give at least 1 of each"
            );
            return Err(refuse(problem));
        }
        if !(*rate > 0.0 && *rate <= 1.0) {
            return Err(refuse(format!("the probability of a feature is {rate}; give a number above 0, up to 1")));
        }
        if importance.len() != *features || importance.iter().any(|x| !(x.is_finite() && *x > 0.0)) {
            return Err(refuse(format!("the importances are {importance:?}; give {features} positive numbers")));
        }
        Ok(())
    }
}

impl Toy {
    /// How the features share the dimensions.
    ///
    /// # Errors
    ///
    /// A training that did not stay finite.
    pub fn geometry(&self) -> Result<FeatureGeometry> {
        if self.directions.iter().flatten().any(|x| !x.is_finite()) {
            return Err(refuse("the training did not stay finite; give smaller importances".into()));
        }
        Ok(geometry(&self.directions))
    }
}

/// Room for one step.
struct Step {
    gradient: Vec<f32>,
    importance: Vec<f32>,
    x: Vec<f32>,
    /// `W x`
    hidden: Vec<f32>,
    /// The gradient of `W x`.
    of_hidden: Vec<f32>,
    /// The gradient before `ReLU`.
    of_out: Vec<f32>,
}

impl Step {
    fn of(model: &ToyModel) -> Self {
        let (features, dimensions) = (vec![0.0; model.features], vec![0.0; model.dimensions]);
        Self {
            gradient: vec![0.0; model.features * (model.dimensions + 1)],
            importance: model.importance.iter().map(|x| *x as f32).collect(),
            x: features.clone(),
            hidden: dimensions.clone(),
            of_hidden: dimensions,
            of_out: features,
        }
    }

    /// The mean gradient over a batch, and the mean loss.
    fn gradient(&mut self, model: &ToyModel, own: &[f32], rng: &mut ChaCha8Rng) -> f64 {
        self.gradient.fill(0.0);
        let mut loss = 0.0;
        for _ in 0..model.batch {
            for x in &mut self.x {
                *x = if rng.random_bool(model.rate) { rng.random() } else { 0.0 };
            }
            loss += self.add(own, model.dimensions);
        }
        let share = 1.0 / model.batch as f32;
        self.gradient.iter_mut().for_each(|x| *x *= share);
        f64::from(loss) / model.batch as f64
    }

    /// Adds the gradient of one example; its loss.
    fn add(&mut self, own: &[f32], dimensions: usize) -> f32 {
        let (weights, bias) = own.split_at(self.x.len() * dimensions);
        self.hidden.fill(0.0);
        self.of_hidden.fill(0.0);
        let active = self.x.iter().zip(weights.chunks_exact(dimensions)).filter(|(x, _)| **x != 0.0);
        active.for_each(|(x, row)| self.hidden.iter_mut().zip(row).for_each(|(h, w)| *h += x * w));
        let mut loss = 0.0;
        for (at, row) in weights.chunks_exact(dimensions).enumerate() {
            let out = bias[at] + row.iter().zip(&self.hidden).map(|(w, h)| w * h).sum::<f32>();
            let error = out.max(0.0) - self.x[at];
            loss += self.importance[at] * error * error;
            self.of_out[at] = if out > 0.0 { 2.0 * self.importance[at] * error } else { 0.0 };
            if out > 0.0 {
                self.of_hidden.iter_mut().zip(row).for_each(|(g, w)| *g += self.of_out[at] * w);
            }
        }
        // Each weight takes part in `W x` and in `Wᵀ (W x)`.
        let (of_weights, of_bias) = self.gradient.split_at_mut(self.x.len() * dimensions);
        for (at, row) in of_weights.chunks_exact_mut(dimensions).enumerate() {
            let (x, of_out) = (self.x[at], self.of_out[at]);
            if x == 0.0 && of_out == 0.0 {
                continue;
            }
            let hidden = self.hidden.iter().zip(&self.of_hidden);
            row.iter_mut().zip(hidden).for_each(|(g, (h, of_h))| *g += of_out * h + x * of_h);
            of_bias[at] += of_out;
        }
        loss
    }
}

/// Adam without decay.
fn adam(time: i32, rate: f32) -> AdamStep {
    let corrections = BETAS.map(|beta| 1.0 - beta.powi(time));
    AdamStep { betas: BETAS, scale: 1.0, corrections, epsilon: EPSILON, kept: 1.0, rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toy(rate: f64, steps: usize, batch: usize) -> FeatureGeometry {
        let model = ToyModel { batch, ..ToyModel::new(5, 2, rate).decaying(0.9).steps(steps) };
        model.train().unwrap().geometry().unwrap()
    }

    /// The gradient of a batch by finite differences of its loss.
    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let model = ToyModel { batch: 20, ..ToyModel::new(4, 3, 0.6).decaying(0.8) };
        let own: Vec<f32> = (0..16).map(|at| ((at * 37 % 11) as f32 - 5.0) / 9.0).collect();
        let mut step = Step::of(&model);
        let mut loss = |own: &[f32]| {
            let loss = step.gradient(&model, own, &mut ChaCha8Rng::seed_from_u64(4));
            (loss, step.gradient.clone())
        };
        let (_, gradient) = loss(&own);
        for at in 0..own.len() {
            let mut moved = |by: f32| {
                let mut own = own.clone();
                own[at] += by;
                loss(&own).0
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((slope - f64::from(gradient[at])).abs() < 5e-3, "{at}: {slope} {}", gradient[at]);
        }
    }

    /// The table of toy models with five features in two dimensions, importances 0.9^i. Always active: the two most important
    /// have a dimension each. Rare: a pentagon, 2/5 of a dimension each, with norms of 1.12 to 1.16. The dimensions add up to
    /// two.
    #[test]
    fn frequent_features_are_dropped_and_rare_ones_form_a_pentagon() {
        let frequent = toy(1.0, 5000, 32);
        let expected = [1.0, 1.0, 0.0, 0.0, 0.0];
        let far = frequent.dimensionality.iter().zip(expected).map(|(share, one)| (share - one).abs());
        assert!(far.fold(0.0, f64::max) < 0.05, "{frequent:?}");
        let rare = toy(0.05, 2500, 128);
        assert!(rare.dimensionality.iter().all(|share| (0.38..=0.42).contains(share)), "{rare:?}");
        assert!(rare.norms.iter().all(|norm| (1.10..=1.18).contains(norm)), "{rare:?}");
        for found in [frequent, rare] {
            let sum: f64 = found.dimensionality.iter().sum();
            assert!((sum - 2.0).abs() < 0.01, "{sum}");
        }
    }

    /// In between, two pairs point in opposite directions and the least important feature is dropped.
    #[test]
    fn features_in_between_form_antipodal_pairs() {
        let mut shares = toy(0.3, 4000, 64).dimensionality;
        shares.sort_by(f64::total_cmp);
        assert!(shares[0] < 0.1 && shares[1..].iter().all(|share| (0.45..=0.55).contains(share)), "{shares:?}");
    }

    /// The table's rows of a hundred features of one importance in ten dimensions, the dimensions over the sum of the squared
    /// norms: a dimension for each of ten features that are always there, 0.08 for each of a hundred rare ones. The table has 13
    /// times the examples.
    #[test]
    fn a_hundred_features_get_the_smaller_shares_the_rarer_they_are() {
        let rows = [(1.0, 1.0), (0.1, 0.23), (0.01, 0.08)];
        let share = |rate: f64| {
            let model = ToyModel { batch: 64, ..ToyModel::new(100, 10, rate).steps(1500) };
            let found = model.train().unwrap().geometry().unwrap();
            10.0 / found.norms.iter().map(|norm| norm * norm).sum::<f64>()
        };
        let found: Vec<f64> = std::thread::scope(|scope| {
            let threads = rows.map(|(rate, _)| scope.spawn(move || share(rate)));
            threads.map(|thread| thread.join().unwrap()).to_vec()
        });
        for ((rate, expected), found) in rows.into_iter().zip(&found) {
            assert!((found - expected).abs() < 0.08 * expected, "{rate}: {found}, not {expected}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let said = |model: ToyModel| model.train().unwrap_err().to_string();
        assert_eq!(
            said(ToyModel::new(5, 0, 0.1)),
            "superposition: a toy model of 5 features in 0 dimensions, 6000 steps of 128 examples, learns nothing; give at \
             least 1 of each"
        );
        assert_eq!(
            said(ToyModel::new(5, 2, 0.0)),
            "superposition: the probability of a feature is 0; give a number above 0, up to 1"
        );
        let wrong = ToyModel { importance: vec![1.0], ..ToyModel::new(2, 1, 0.5) };
        assert_eq!(said(wrong), "superposition: the importances are [1.0]; give 2 positive numbers");
    }
}
