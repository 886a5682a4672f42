//! Held-out accuracy of a probe, beside that of the same probe on shuffled labels.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::examples::Examples;
use super::folds::{Fold, split};
use super::probe::Probe;
use crate::error::Result;
use crate::hypothesis::Interval;
use crate::hypothesis::stats::clopper_pearson;
use crate::tools::shared::score_table::mean;

/// How a probe is fitted and judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) c: f64,
    pub(super) folds: usize,
    pub(super) controls: usize,
    pub(super) seed: u64,
}

/// A probe and its accuracy on groups that it was not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The share of examples whose label is predicted by a probe that did not see their group.
    pub accuracy: f64,
    /// The accuracy's interval at 95%, with one trial for each group.
    pub interval: Interval,
    /// The mean accuracy of the same probe on shuffled labels; the commoner label's share without a control.
    pub control: f64,
    /// Twice the true positives over twice them and all mistakes, on the same held-out examples; 0 without true positives.
    #[serde(default)]
    pub f1: f64,
    /// The accuracy on the examples that each probe was trained on.
    pub train_accuracy: f64,
    /// The probe fitted on all examples.
    pub probe: Probe,
    /// The number of examples.
    pub examples: usize,
    /// The number of groups.
    pub groups: usize,
}

impl Probed {
    /// The accuracy minus that on shuffled labels.
    pub fn selectivity(&self) -> f64 {
        self.accuracy - self.control
    }

    /// Fits and judges. `select` names the features to read, from the examples to train on.
    pub(super) fn of(
        examples: &Examples,
        settings: Settings,
        select: impl Fn(&[&[f64]], &[bool]) -> Vec<usize>,
    ) -> Result<Self> {
        let folds = split(&examples.groups, settings.folds, settings.seed);
        let judged = judged(examples, &examples.labels, &folds, settings.c, &select)?;
        let control = controls(examples, &folds, settings, &select)?;
        let all: Vec<usize> = (0..examples.len()).collect();
        let (rows, labels) = examples.rows(&all);
        let mut groups = examples.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        let successes = (judged.held_out * groups.len() as f64).round() as u64;
        Ok(Self {
            accuracy: judged.held_out,
            interval: clopper_pearson(successes, groups.len() as u64, 0.95)?,
            control,
            f1: judged.f1,
            train_accuracy: judged.trained,
            probe: Probe::fit(&rows, &labels, &select(&rows, &labels), settings.c)?,
            examples: examples.len(),
            groups: groups.len(),
        })
    }
}

/// The mean held-out accuracy on labels that are shuffled over all examples.
fn controls(
    examples: &Examples,
    folds: &[Fold],
    settings: Settings,
    select: &impl Fn(&[&[f64]], &[bool]) -> Vec<usize>,
) -> Result<f64> {
    if settings.controls == 0 {
        return Ok(examples.base_rate());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ 0x5eed);
    let mut found = Vec::with_capacity(settings.controls);
    for _ in 0..settings.controls {
        let mut labels = examples.labels.clone();
        labels.shuffle(&mut rng);
        found.push(judged(examples, &labels, folds, settings.c, select)?.held_out);
    }
    Ok(mean(&found))
}

/// Accuracies over all folds.
struct Judged {
    held_out: f64,
    f1: f64,
    trained: f64,
}

fn judged(
    examples: &Examples,
    labels: &[bool],
    folds: &[Fold],
    c: f64,
    select: &impl Fn(&[&[f64]], &[bool]) -> Vec<usize>,
) -> Result<Judged> {
    let (mut held_out, mut trained, mut seen, mut found) = (0, 0, 0, 0);
    for fold in folds {
        let of = |rows: &[usize]| (examples.rows(rows).0, rows.iter().map(|row| labels[*row]).collect::<Vec<bool>>());
        let (train, train_labels) = of(&fold.train);
        let (test, test_labels) = of(&fold.test);
        let probe = Probe::fit(&train, &train_labels, &select(&train, &train_labels), c)?;
        held_out += probe.correct(&test, &test_labels);
        found += test.iter().zip(&test_labels).filter(|(row, label)| **label && probe.predict(row)).count();
        trained += probe.correct(&train, &train_labels);
        seen += train.len();
    }
    let (all, found) = (examples.len() as f64, found as f64);
    let mistakes = all - held_out as f64;
    let f1 = if found > 0.0 { 2.0 * found / (2.0 * found + mistakes) } else { 0.0 };
    Ok(Judged { held_out: held_out as f64 / all, f1, trained: trained as f64 / seen as f64 })
}
