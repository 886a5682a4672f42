//! Training settings.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;

/// Training settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Seed of the initial parameters.
    pub seed: u64,
    /// Initial standard deviation of matrices and tables; GPT-2's is 0.02.
    pub init_std: f32,
    /// How similar the initial `W_K` is to `W_Q`, and `W_O` to the transpose of `W_V`, from 0 (GPT-2) to 1.
    pub mimicry: f32,
    /// Whether learned positions start as sinusoids instead of at random.
    pub wave_positions: bool,
    /// Whether MLPs start at zero. Without biases they stay there, because a product of two zeros has no gradient: the
    /// model is an attention-only one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attention_only: bool,
    /// The number of steps in which layer 0 sees only the current and the previous token. Its window then doubles, and
    /// doubles again after each further eighth of that time, until it covers the context. With 0 it covers the context
    /// from the start.
    pub local_steps: u64,
    /// The number of steps of the schedule.
    pub steps: u64,
    /// The highest learning rate.
    pub peak_lr: f64,
    /// The number of steps of the warm-up.
    pub warmup: u64,
    /// The share of the peak at the end.
    pub lr_floor: f64,
    /// Decay of matrices and tables, per unit of learning rate; vectors do not decay.
    pub weight_decay: f32,
    /// The decay rates of the two averages of `AdamW`.
    pub betas: [f32; 2],
    /// Gradients whose norm is above this are scaled down to it.
    pub clip: f64,
}

/// Each further window is used for this fraction of the first window's time.
const WIDENING: u64 = 8;

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            init_std: 0.02,
            mimicry: 0.0,
            wave_positions: false,
            attention_only: false,
            local_steps: 0,
            steps: 1000,
            peak_lr: 1e-3,
            warmup: 50,
            lr_floor: 0.1,
            weight_decay: 0.01,
            betas: [0.9, 0.98],
            clip: 1.0,
        }
    }
}

impl Settings {
    pub(super) fn schedule(&self) -> Schedule {
        Schedule { peak: self.peak_lr, warmup: self.warmup, steps: self.steps, floor: self.lr_floor }
    }

    /// The window of layer 0 at a step, if it is narrower than the architecture's.
    ///
    /// Induction builds on a head that attends to the previous token, and such a head is slow to form by itself.
    pub(super) fn window(&self, step: u64, n_ctx: usize) -> Option<usize> {
        let stage = (self.local_steps / WIDENING).max(1);
        let doublings = if step < self.local_steps { 0 } else { (step - self.local_steps) / stage + 1 };
        let window = 2_usize.checked_pow(u32::try_from(doublings + 1).ok()?)?;
        (self.local_steps > 0 && window < n_ctx).then_some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_layer_0_widens_until_it_is_open() {
        let settings = Settings { local_steps: 80, ..Settings::default() };
        let windows = [0, 79, 80, 89, 90, 100, 110, 120, 1000].map(|step| settings.window(step, 64));
        assert_eq!(windows, [Some(2), Some(2), Some(4), Some(4), Some(8), Some(16), Some(32), None, None]);
        assert!((120..2000).all(|step| settings.window(step, 64).is_none()), "it closed after it was open");
        assert_eq!(Settings::default().window(0, 64), None);
        assert_eq!(Settings { local_steps: 1, ..settings }.window(u64::MAX - 1, 64), None, "no overflow");
    }
}
