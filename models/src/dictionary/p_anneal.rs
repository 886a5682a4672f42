//! p-annealing: the power of the penalty `Σ fᵖ` falls from 1 in training, and its factor follows so that the penalty of the
//! latents at hand stays what it was.
//!
//! Source: Karvonen et al., <https://arxiv.org/abs/2408.00113>, as `dictionary_learning` trains it. (Its resampling of dead
//! latents writes into copies, and is not taken over.)

use std::collections::VecDeque;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::architectures::{Penalty, StandardLoss, penalty_of_power};
use crate::device;
use crate::error::{Error, Result};

/// A schedule of the power, and the factor that goes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PAnneal {
    /// The step of the first change.
    pub start: usize,
    /// The step of the last change.
    pub end: usize,
    /// The power before the first change.
    pub p_start: f64,
    /// The power that the last change comes to.
    pub p_end: f64,
    /// Number of changes, evenly spaced from `start` to `end`.
    pub updates: usize,
    /// Whether the p-th root is taken.
    pub root: bool,
    /// Number of last steps whose penalties are compared at a change.
    pub memory: usize,
    /// The power now.
    p: f64,
    /// `λ` now.
    coefficient: f64,
    /// Changes so far.
    done: usize,
    /// Penalties of the last steps, with the power now and the next one.
    seen: VecDeque<(f64, f64)>,
}

impl PAnneal {
    /// A schedule with ten changes that starts with this factor at the power 1, compares ten steps, and takes the root.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if it would end before it starts, or at a power that is not from above 0 to 1.
    pub fn new(coefficient: f64, start: usize, end: usize, p_end: f64) -> Result<Self> {
        let wrong = |setting, value: String, fix: &str| Err(Error::Setting { setting, value, fix: fix.into() });
        if end <= start {
            return wrong("end", end.to_string(), "give a step after the first change");
        }
        if !(p_end > 0.0 && p_end <= 1.0) {
            return wrong("p_end", p_end.to_string(), "give a power above 0, up to 1");
        }
        Ok(Self {
            start,
            end,
            p_start: 1.0,
            p_end,
            updates: 10,
            root: true,
            memory: 10,
            p: 1.0,
            coefficient,
            done: 0,
            seen: VecDeque::new(),
        })
    }

    /// The objective of this step.
    pub fn objective(&self) -> StandardLoss {
        StandardLoss { coefficient: self.coefficient, penalty: Penalty::Power { p: self.p, root: self.root } }
    }

    /// Notes the latents `[rows, d_sae]` of a step, and changes the power if the step says so. Call it once a step, after the
    /// losses: the change is for the next step.
    ///
    /// # Errors
    ///
    /// [`Error::Device`].
    pub fn observe(&mut self, step: usize, acts: &Tensor<2>) -> Result<()> {
        if let Some(next) = self.next_power() {
            let acts = acts.clone().detach();
            let of =
                |p: f64| Ok::<f64, Error>(f64::from(device::read(penalty_of_power(acts.clone(), p, self.root))?[0]));
            let pair = (of(self.p)?, of(next)?);
            self.seen.push_back(pair);
            while self.seen.len() > self.memory {
                self.seen.pop_front();
            }
        }
        if self.done < self.updates && step >= self.step_of(self.done) {
            self.change();
        }
        Ok(())
    }

    /// The power after the next change; none before the first change, whose power is the one at the start.
    fn next_power(&self) -> Option<f64> {
        if self.done == 0 { None } else { Some(self.power(self.done)) }
    }

    fn change(&mut self) {
        if self.done > 0 {
            let sum = |of: fn(&(f64, f64)) -> f64| self.seen.iter().map(of).sum::<f64>();
            let (now, next) = (sum(|pair| pair.0), sum(|pair| pair.1));
            if next > 0.0 {
                self.coefficient *= now / next;
            }
        }
        self.p = self.power(self.done);
        self.done += 1;
    }

    /// The power of a change, from 0; that of the last for later ones.
    fn power(&self, change: usize) -> f64 {
        let part = change.min(self.updates - 1) as f64 / (self.updates - 1).max(1) as f64;
        self.p_start + (self.p_end - self.p_start) * part
    }

    fn step_of(&self, change: usize) -> usize {
        self.start + (self.end - self.start) * change / (self.updates - 1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::dictionary::testing::close;

    #[derive(Deserialize)]
    struct Step {
        acts: Values,
        p: f32,
        coefficient: f32,
    }

    #[derive(Deserialize)]
    struct Values {
        shape: Vec<usize>,
        values: Vec<f32>,
    }

    #[test]
    fn powers_and_factors_are_those_of_dictionary_learning() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dictionaries/p_anneal.json");
        let steps: Vec<Step> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut schedule = PAnneal { updates: 4, memory: 2, ..PAnneal::new(0.5, 3, 12, 0.4).unwrap() };
        let mut changes = 0;
        for (index, step) in steps.iter().enumerate() {
            let before = schedule.objective();
            let acts = TensorData::new(step.acts.values.clone(), step.acts.shape.clone());
            schedule.observe(index, &Tensor::from_data(acts, &Device::flex())).unwrap();
            let Penalty::Power { p, .. } = schedule.objective().penalty else { panic!("it penalises a power") };
            close(&[p as f32, schedule.objective().coefficient as f32], &[step.p, step.coefficient]);
            changes += usize::from(before != schedule.objective());
        }
        assert_eq!(changes, 3, "the first of four changes nothing");
    }

    #[test]
    fn schedules_that_cannot_be_are_refused() {
        let said = |schedule: Result<PAnneal>| schedule.unwrap_err().to_string();
        assert_eq!(said(PAnneal::new(1.0, 5, 5, 0.5)), "`end` is 5: give a step after the first change");
        assert_eq!(said(PAnneal::new(1.0, 0, 5, 0.0)), "`p_end` is 0: give a power above 0, up to 1");
    }
}
