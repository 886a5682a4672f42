//! How a model is trained.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Seed of the parameters' start.
    pub seed: u64,
    /// Standard deviation of matrices and tables at the start; GPT-2's is 0.02.
    pub init_std: f32,
    /// How much `W_K` starts like `W_Q`, and `W_O` like `W_V` transposed, 0 (GPT-2) to 1.
    pub mimicry: f32,
    /// Whether learned positions start as sinusoids instead of at random.
    pub wave_positions: bool,
    /// Steps for which layer 0 sees only itself and one token back; its window then doubles, again after every eighth
    /// of that time, until it is open. 0 leaves it open from the start.
    pub local_steps: u64,
    /// Steps the schedule is laid out for.
    pub steps: u64,
    /// The highest learning rate.
    pub peak_lr: f64,
    /// Steps of the warm-up.
    pub warmup: u64,
    /// Share of the peak at the end.
    pub lr_floor: f64,
    /// Decay of matrices and tables, per unit of learning rate; vectors do not decay.
    pub weight_decay: f32,
    /// `AdamW`'s two averages.
    pub betas: [f32; 2],
    /// Gradients whose norm is above this are scaled down to it.
    pub clip: f64,
}

/// A window is kept for this part of the first one's time.
const WIDENING: u64 = 8;

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            init_std: 0.02,
            mimicry: 0.0,
            wave_positions: false,
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

    /// The window of layer 0 at a step, where it is narrower than the architecture's.
    ///
    /// A head that looks one token back is what induction is built on, and slow to form by itself.
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
        assert!((120..2000).all(|step| settings.window(step, 64).is_none()), "once open it stays open");
        assert_eq!(Settings::default().window(0, 64), None);
        assert_eq!(Settings { local_steps: 1, ..settings }.window(u64::MAX - 1, 64), None, "no overflow");
    }
}
