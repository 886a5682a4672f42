//! Logistic regression on standardised features.

use serde::{Deserialize, Serialize};

use super::refuse::refuse;
use crate::error::Result;
use crate::tools::shared::lbfgs::minimize;

/// A linear probe: the log odds of the label are `bias + Σ weight · (feature - mean) / sd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The features it reads, `[k]`: all of them, or those of a k-sparse probe.
    pub features: Vec<usize>,
    /// One for each of those features, in log odds per standard deviation.
    pub weights: Vec<f64>,
    /// The log odds at the mean of the training examples.
    pub bias: f64,
    /// The mean of each of those features over the training examples.
    pub mean: Vec<f64>,
    /// The standard deviation of each of those features over the training examples; 1 for a constant one.
    pub sd: Vec<f64>,
}

impl Probe {
    /// Fits a probe on some features. As in scikit-learn, it minimises `½ ‖weights‖² + c Σ log(1 + exp(-y · log odds))`,
    /// where y is 1 or -1; the bias is not penalised.
    ///
    /// # Errors
    ///
    /// Labels of one kind, and a fit that does not converge.
    pub(super) fn fit(rows: &[&[f64]], labels: &[bool], features: &[usize], c: f64) -> Result<Self> {
        if labels.iter().all(|label| *label == labels[0]) {
            return Err(refuse(
                "a training split has labels of one kind; give more groups of each label, or fewer folds",
            ));
        }
        let columns = features.iter().map(|feature| rows.iter().map(|row| row[*feature]).collect::<Vec<f64>>());
        let (mean, sd): (Vec<f64>, Vec<f64>) = columns.map(|column| moments(&column)).unzip();
        let scaled: Vec<Vec<f64>> = rows.iter().map(|row| standardised(row, features, &mean, &sd)).collect();
        let start = vec![0.0; features.len() + 1];
        // The gradient of the sum over examples is at most about `c · examples`.
        let tolerance = 1e-9 * (c * labels.len() as f64).max(1.0);
        let found = minimize(|parameters| loss(&scaled, labels, parameters, c), start, tolerance).ok_or_else(|| {
            refuse(format!("the fit does not converge with c = {c}; give a smaller `c` for a stronger penalty"))
        })?;
        let (bias, weights) = (found[0], found[1..].to_vec());
        Ok(Self { features: features.to_vec(), weights, bias, mean, sd })
    }

    /// The log odds of an example's label being true. `row` has every feature of the site.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        let scaled = standardised(row, &self.features, &self.mean, &self.sd);
        self.bias + scaled.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>()
    }

    /// The label that is likelier.
    pub fn predict(&self, row: &[f64]) -> bool {
        self.log_odds(row) > 0.0
    }

    /// The direction along which the log odds grow fastest, of length 1, in the units of the activations: `[k]`. Zero if
    /// the probe reads nothing.
    pub fn direction(&self) -> Vec<f64> {
        let raw: Vec<f64> = self.weights.iter().zip(&self.sd).map(|(weight, sd)| weight / sd).collect();
        let norm = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
        raw.into_iter().map(|x| if norm > 0.0 { x / norm } else { 0.0 }).collect()
    }

    /// The share of rows whose label it predicts.
    pub(super) fn correct(&self, rows: &[&[f64]], labels: &[bool]) -> usize {
        rows.iter().zip(labels).filter(|(row, label)| self.predict(row) == **label).count()
    }
}

/// Mean and standard deviation (of the population).
fn moments(column: &[f64]) -> (f64, f64) {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / column.len() as f64;
    let sd = variance.sqrt();
    // A constant column has a spread of rounding error.
    (mean, if sd > 1e-12 * mean.abs().max(f64::MIN_POSITIVE) { sd } else { 1.0 })
}

fn standardised(row: &[f64], features: &[usize], mean: &[f64], sd: &[f64]) -> Vec<f64> {
    features.iter().zip(mean.iter().zip(sd)).map(|(feature, (mean, sd))| (row[*feature] - mean) / sd).collect()
}

/// The penalised loss and its gradient at `[bias, weights..]`.
fn loss(rows: &[Vec<f64>], labels: &[bool], parameters: &[f64], c: f64) -> (f64, Vec<f64>) {
    let (bias, weights) = (parameters[0], &parameters[1..]);
    let mut value = 0.5 * weights.iter().map(|w| w * w).sum::<f64>();
    let mut gradient: Vec<f64> = std::iter::once(0.0).chain(weights.iter().copied()).collect();
    for (row, label) in rows.iter().zip(labels) {
        let odds = bias + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>();
        let wrong = if *label { -odds } else { odds };
        value += c * softplus(wrong);
        let slope = c * sigmoid(wrong) * if *label { -1.0 } else { 1.0 };
        gradient[0] += slope;
        gradient[1..].iter_mut().zip(row).for_each(|(entry, x)| *entry += slope * x);
    }
    (value, gradient)
}

/// `log(1 + exp(x))`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use serde_json::Value;

    /// One feature at -1 and 1 with labels that follow it: the optimum solves `w = 2 c / (1 + exp(w))`.
    #[test]
    fn by_hand() {
        let rows = [vec![-3.0, 5.0], vec![1.0, 5.0]];
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let probe = Probe::fit(&rows, &[false, true], &[0, 1], 1.0).unwrap();
        let w = probe.weights[0];
        close(w, 2.0 / (1.0 + w.exp()), 1e-8);
        close(probe.bias, 0.0, 1e-8);
        assert_eq!((probe.mean.as_slice(), probe.sd.as_slice()), (&[-1.0, 5.0][..], &[2.0, 1.0][..]));
        assert_eq!(probe.direction(), [1.0, 0.0], "a constant feature says nothing");
        close(probe.log_odds(&[3.0, 5.0]), 2.0 * w, 1e-8);
        assert!(probe.predict(&[0.0, 5.0]) && !probe.predict(&[-2.0, 5.0]));
    }

    /// `tests/fixtures/probes/make_probes.py` fits with scikit-learn.
    #[test]
    fn coefficients_and_accuracy_are_scikit_learns() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/probes/reference.json");
        let reference: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let numbers =
            |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
        let rows: Vec<Vec<f64>> = reference["features"].as_array().unwrap().iter().map(numbers).collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let labels: Vec<bool> = reference["labels"].as_array().unwrap().iter().map(|x| x == 1).collect();
        let train = reference["train"].as_u64().unwrap() as usize;
        for case in reference["cases"].as_array().unwrap() {
            let c = case["c"].as_f64().unwrap();
            let all: Vec<usize> = (0..rows[0].len()).collect();
            let probe = Probe::fit(&rows[..train], &labels[..train], &all, c).unwrap();
            probe
                .weights
                .iter()
                .zip(numbers(&case["coefficients"]))
                .for_each(|(ours, theirs)| close(*ours, theirs, 1e-4));
            close(probe.bias, case["intercept"].as_f64().unwrap(), 1e-4);
            let correct = probe.correct(&rows[train..], &labels[train..]);
            close(correct as f64 / (rows.len() - train) as f64, case["accuracy"].as_f64().unwrap(), 1e-12);
        }
    }
}
