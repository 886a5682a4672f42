//! What is trained.

use super::model::Toy;
use super::train::Plan;

/// Models that start from different weights; the one with the lowest loss counts.
pub(crate) const RESTARTS: usize = 5;

/// Five features of falling importance in two dimensions.
pub(crate) fn few(seed: u64) -> Plan {
    let importance: Vec<f64> = (0..5).map(|feature| 0.9_f64.powi(feature)).collect();
    let toy = |density: f64| std::iter::repeat_n(Toy { density, importance: importance.clone() }, RESTARTS);
    let toys = [1.0, 0.2, 0.1].into_iter().flat_map(toy).collect();
    Plan { name: "few".into(), dims: 2, toys, batch: 1024, steps: 5000, lr: 1e-2, seed }
}

/// Many features of one importance: a hundred in 10 dimensions, or the paper's 400 in 30.
pub(crate) fn many(long: bool, seed: u64) -> Plan {
    let (features, dims, steps) = if long { (400, 30, 20_000) } else { (100, 10, 5000) };
    let densities: &[f64] = if long {
        &[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01]
    } else {
        &[1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]
    };
    let toys = densities.iter().map(|density| Toy { density: *density, importance: vec![1.0; features] }).collect();
    Plan { name: "many".into(), dims, toys, batch: 512, steps, lr: 1e-3, seed }
}

/// The axes of the phase diagram.
pub(crate) struct Grid {
    /// From 1/100 to 1.
    pub(crate) densities: Vec<f64>,
    /// Of the second feature, from 1/10 to 10 times that of the first.
    pub(crate) importances: Vec<f64>,
}

impl Grid {
    pub(crate) fn new(long: bool) -> Self {
        let side = if long { 30 } else { 13 };
        let steps = |low: f64, high: f64| {
            (0..side).map(move |at| 10_f64.powf(low + (high - low) * f64::from(at) / f64::from(side - 1)))
        };
        Self { densities: steps(-2.0, 0.0).collect(), importances: steps(-1.0, 1.0).collect() }
    }

    /// Two features in one dimension, for each cell `[importance][density]` some restarts.
    pub(crate) fn plan(&self, seed: u64) -> Plan {
        let cells = self.importances.iter().flat_map(|importance| {
            self.densities.iter().map(|density| Toy { density: *density, importance: vec![1.0, *importance] })
        });
        let toys = cells.flat_map(|toy| std::iter::repeat_n(toy, RESTARTS)).collect();
        Plan { name: "pairs".into(), dims: 1, toys, batch: 128, steps: 3000, lr: 1e-2, seed }
    }
}
