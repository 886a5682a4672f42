//! Training with checkpoints.

use std::path::Path;

use arrakis::models::device;
use arrakis::prelude::*;
use arrakis_examples::{Checkpoint, training};
use arrakis_recipe::train::{Optimizer, Schedule, Settings};
use burn::module::Module as _;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::model::{Toy, Toys, World};

/// Steps between checkpoints.
const SAVE_EVERY: u64 = 1000;
/// Draws that the losses of trained models are averaged over.
const HELD_OUT: usize = 4096;

/// Models that are trained side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The name of its folder.
    pub(crate) name: String,
    /// The dimensions that features share.
    pub(crate) dims: usize,
    pub(crate) toys: Vec<Toy>,
    pub(crate) batch: usize,
    pub(crate) steps: u64,
    /// The learning rate, which falls to zero along a cosine.
    pub(crate) lr: f64,
    pub(crate) seed: u64,
}

/// Trained models.
pub(crate) struct Study {
    pub(crate) plan: Plan,
    toys: Toys,
    device: Device,
}

impl Study {
    /// Trains the models of a plan, from the last checkpoint in the folder on.
    pub(crate) fn train(plan: Plan, folder: &Path) -> Result<Self> {
        let (folder, device) = (folder.join(&plan.name), device::cpu().device);
        let with_gradients = device.clone().autodiff();
        let mut optimizer = Optimizer::new(&Settings {
            weight_decay: 0.0,
            betas: [0.9, 0.999],
            clip: f64::INFINITY,
            ..Settings::default()
        });
        device.seed(plan.seed);
        let mut toys = Toys::new([plan.toys.len(), plan.toys[0].importance.len(), plan.dims], &with_gradients);
        let mut start = 0;
        if let Some(found) = Checkpoint::latest(&folder) {
            let of: Plan = found.state()?;
            if of != plan {
                return Err(found.of_another_run(format_args!("`{}` with other settings", of.name)));
            }
            found.load(&mut toys, &mut optimizer, &device)?;
            start = found.step;
        }
        let world = World::new(&plan.toys, &with_gradients);
        let schedule = Schedule { peak: plan.lr, warmup: 0, steps: plan.steps, floor: 0.0 };
        let bar = arrakis::models::progress::bar(&plan.name, "steps", plan.steps as usize);
        for step in start..plan.steps {
            if step > start && step.is_multiple_of(SAVE_EVERY) {
                Checkpoint::save(&folder, step, &toys, &optimizer, &plan)?;
            }
            bar.set_position(step);
            // Each step draws from a seed of its own, so that a run that goes on draws the same.
            device.seed(plan.seed.wrapping_mul(1 << 32).wrapping_add(step + 1));
            let loss = world.losses(&toys, world.draw(plan.batch)).sum();
            (toys, _) = optimizer.step(toys, &loss.backward(), schedule.at(step)).map_err(training)?;
        }
        bar.finish_and_clear();
        Checkpoint::save(&folder, plan.steps, &toys, &optimizer, &plan)?;
        Ok(Self { plan, toys: toys.valid(), device })
    }

    /// The directions of one model, `[feature, dim]`.
    pub(crate) fn directions(&self, toy: usize) -> Tensor<2> {
        self.toys.directions(toy)
    }

    /// The model with the lowest loss in each group of this many neighbours, which are of one kind and see the same new
    /// draws.
    pub(crate) fn best(&self, group: usize) -> Result<Vec<usize>> {
        self.device.seed(self.plan.seed ^ u64::MAX);
        let kinds: Vec<Toy> = self.plan.toys.iter().step_by(group).cloned().collect();
        let draws = World::new(&kinds, &self.device).draw(HELD_OUT);
        let [kinds, batch, features] = draws.dims();
        let draws: Tensor<4> = draws.reshape([kinds, 1, batch, features]).expand([kinds, group, batch, features]);
        let draws = draws.reshape([kinds * group, batch, features]);
        let losses = device::read(World::new(&self.plan.toys, &self.device).losses(&self.toys, draws))?;
        let best = |(at, losses): (usize, &[f32])| {
            let lowest = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]));
            at * group + lowest.unwrap_or_default()
        };
        Ok(losses.chunks(group).enumerate().map(best).collect())
    }
}
