//! Full-batch training with checkpoints.

use std::path::Path;

use arrakis::models::device;
use arrakis::prelude::*;
use arrakis_examples::{Checkpoint, training};
use arrakis_recipe::train::{Optimizer, Settings};
use burn::module::Module as _;
use burn::tensor::{Device, Int, TensorData};
use indicatif::ProgressBar;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::fourier::Logits;
use super::model::{Net, answers, pairs, tokens};

/// What is trained on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The modulus.
    pub(crate) p: usize,
    /// The share of all pairs that is trained on.
    pub(crate) fraction: f64,
    /// Passes over the training pairs.
    pub(crate) epochs: u64,
    /// The seed of weights and split.
    pub(crate) seed: u64,
}

impl Plan {
    /// Pairs to train on and pairs to test on.
    pub(crate) fn split(&self) -> (Vec<[usize; 2]>, Vec<[usize; 2]>) {
        let mut train = pairs(self.p);
        train.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(self.seed));
        let test = train.split_off((train.len() as f64 * self.fraction) as usize);
        (train, test)
    }
}

/// The paper's: strong decay is what makes the network give up what it memorised.
fn settings() -> Settings {
    Settings { weight_decay: 1.0, betas: [0.9, 0.98], clip: f64::INFINITY, ..Settings::default() }
}

/// The losses after an epoch, in nats.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) epoch: u64,
    pub(crate) train: f64,
    pub(crate) test: f64,
    /// The share of test pairs that are answered rightly.
    pub(crate) accuracy: f64,
}

/// A network in training.
pub(crate) struct Training {
    pub(crate) plan: Plan,
    pub(crate) net: Net,
    pub(crate) logs: Vec<Log>,
    epoch: u64,
    optimizer: Optimizer,
    device: Device,
}

/// What is on disk beside the tensors.
#[derive(Serialize, Deserialize)]
struct State {
    plan: Plan,
    logs: Vec<Log>,
}

impl Training {
    /// Random weights.
    pub(crate) fn new(plan: Plan, device: &Device) -> Self {
        device.seed(plan.seed);
        let device = device.clone().autodiff();
        let optimizer = Optimizer::new(&settings());
        Self { net: Net::new(plan.p, &device), plan, logs: Vec::new(), epoch: 0, optimizer, device }
    }

    /// Goes on from a folder if it has a checkpoint of this plan; a longer run of the same plan goes on too.
    pub(crate) fn resume(plan: Plan, device: &Device, folder: &Path) -> Result<Self> {
        let mut training = Self::new(plan, device);
        if let Some(found) = Checkpoint::latest(folder) {
            let state: State = found.state()?;
            if (Plan { epochs: training.plan.epochs, ..state.plan.clone() }) != training.plan {
                return Err(found.of_another_run(state.plan));
            }
            found.load(&mut training.net, &mut training.optimizer, device)?;
            (training.epoch, training.logs) = (found.step, state.logs);
        }
        Ok(training)
    }

    /// Trains to the end of the plan. Losses are logged every `every` epochs, and written ten times less often.
    pub(crate) fn run(&mut self, folder: &Path, every: u64, bar: &ProgressBar) -> Result<()> {
        let (train, test) = self.plan.split();
        let p = self.plan.p;
        let inputs = tokens(&train, p, &self.device);
        let targets: Vec<i64> = answers(&train, p).into_iter().map(|answer| answer as i64).collect();
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [train.len(), 1]), &self.device);
        bar.set_length(self.plan.epochs);
        while self.epoch < self.plan.epochs {
            if self.epoch.is_multiple_of(every) {
                self.log(&train, &test)?;
                bar.set_position(self.epoch);
            }
            if self.epoch.is_multiple_of(10 * every) {
                self.save(folder)?;
            }
            self.step(inputs.clone(), targets.clone())?;
        }
        self.log(&train, &test)?;
        self.save(folder)
    }

    fn step(&mut self, inputs: Tensor<2, Int>, targets: Tensor<2, Int>) -> Result<()> {
        let loss = cross_entropy(self.net.forward(inputs), targets);
        // The paper warms up for ten epochs.
        let lr = settings().peak_lr * ((self.epoch + 1) as f64 / 10.0).min(1.0);
        let (net, _) = self.optimizer.step(self.net.clone(), &loss.backward(), lr).map_err(training)?;
        (self.net, self.epoch) = (net, self.epoch + 1);
        Ok(())
    }

    fn log(&mut self, train: &[[usize; 2]], test: &[[usize; 2]]) -> Result<()> {
        if self.logs.last().is_some_and(|last| last.epoch >= self.epoch) {
            return Ok(());
        }
        let logits = self.logits()?;
        let (loss, accuracy) = (|pairs| logits.loss(pairs), logits.accuracy(test));
        self.logs.push(Log { epoch: self.epoch, train: loss(train), test: loss(test), accuracy });
        Ok(())
    }

    /// The logits of all pairs.
    pub(crate) fn logits(&self) -> Result<Logits> {
        let net = self.net.valid();
        let all = tokens(&pairs(self.plan.p), self.plan.p, &device::cpu().device);
        Ok(Logits::new(self.plan.p, &device::read(net.forward(all))?))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let state = State { plan: self.plan.clone(), logs: self.logs.clone() };
        Checkpoint::save(folder, self.epoch, &self.net, &self.optimizer, &state)
    }
}

/// Mean cross entropy of logits `[batch, p]` and answers `[batch, 1]`, as `ln(1 + Σ exp(wrong - right))`.
///
/// The right answer's own term is left out. In float32 it would round a loss below 1e-7 to nothing, and weight decay
/// would then throw the network off every thousand epochs. The paper computes the loss in float64 for that reason.
fn cross_entropy(logits: Tensor<2>, answers: Tensor<2, Int>) -> Tensor<1> {
    let right = logits.clone().gather(1, answers.clone());
    let classes = Tensor::<1, Int>::arange(0..logits.dims()[1] as i64, &logits.device()).unsqueeze::<2>();
    let own = classes.equal(answers);
    let ahead = (logits - right).mask_fill(own, f32::NEG_INFINITY);
    let most = ahead.clone().detach().max_dim(1).clamp_min(0.0);
    let rest = (ahead - most.clone()).exp().sum_dim(1) + (most.clone().neg().exp() - 1.0);
    (rest.log1p() + most).mean()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_and_its_gradient_are_exact_where_float32_would_round_them_away() {
        let device = device::cpu().device.autodiff();
        let logits = Tensor::<2>::from_floats([[0.0, 20.0], [1.0, -2.0], [90.0, -90.0]], &device).require_grad();
        let answers = Tensor::<2, Int>::from_ints([[1], [0], [1]], &device);
        let loss = cross_entropy(logits.clone(), answers);
        let right = [(-20f64).exp().ln_1p(), (-3f64).exp().ln_1p(), 180.0];
        let value = f64::from(device::read(loss.clone()).unwrap()[0]);
        assert!((value - right.iter().sum::<f64>() / 3.0).abs() < 1e-4, "{value}");
        let gradient = device::read(logits.grad(&loss.backward()).unwrap()).unwrap();
        let slope = |x: f64| 1.0 / (1.0 + (-x).exp()) / 3.0;
        for (ours, right) in
            gradient.iter().zip([slope(-20.0), -slope(-20.0), -slope(-3.0), slope(-3.0), 1.0 / 3.0, -1.0 / 3.0])
        {
            assert!((f64::from(*ours) / right - 1.0).abs() < 1e-5, "{gradient:?}");
        }
    }
}
