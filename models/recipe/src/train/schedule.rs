//! The learning rate of each step: a linear warm-up, then a cosine (Loshchilov and Hutter, 2017).

use serde::{Deserialize, Serialize};

/// A warm-up to the peak, then half a cosine down to a share of the peak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Steps of the warm-up.
    pub warmup: u64,
    /// The total number of steps.
    pub steps: u64,
    /// The share of the peak at the end and afterwards.
    pub floor: f64,
}

impl Schedule {
    /// The learning rate of a step, counted from 0. It is never 0, so that the first step learns.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let length = self.steps.saturating_sub(self.warmup).max(1);
        let done = ((step - self.warmup) as f64 / length as f64).min(1.0);
        let cosine = f64::midpoint(1.0, (std::f64::consts::PI * done).cos());
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule { peak: 2.0, warmup: 4, steps: 104, floor: 0.1 };

    #[test]
    fn by_hand() {
        assert_eq!([SCHEDULE.at(0), SCHEDULE.at(3), SCHEDULE.at(4)], [0.5, 2.0, 2.0]);
        assert!((SCHEDULE.at(54) - 1.1).abs() < 1e-12, "halfway down is not the mean of peak and floor");
        assert!((SCHEDULE.at(104) - 0.2).abs() < 1e-12 && (SCHEDULE.at(900) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn it_falls_after_the_warm_up() {
        assert!((4..200).all(|step| SCHEDULE.at(step + 1) <= SCHEDULE.at(step)));
    }

    #[test]
    fn no_warm_up_and_no_steps_are_fine() {
        let schedule = Schedule { warmup: 0, steps: 0, ..SCHEDULE };
        assert_eq!(schedule.at(0), 2.0);
    }
}
