//! The loop: a batch, its loss, its gradients, a step.

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::init::ScaledSource;
use super::loss::weighted_cross_entropy;
use super::{Batch, Optimizer, Schedule};
use crate::device::{self, Chosen};
use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::tokens::Tokens;
use crate::transformer::{Context, Transformer, TransformerConfig};
use burn::module::Module;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Seed of the parameters' start.
    pub seed: u64,
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
    /// AdamW's two averages.
    pub betas: [f32; 2],
    /// Gradients whose norm is above this are scaled down to it.
    pub clip: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, steps: 1000, peak_lr: 1e-3, warmup: 50, lr_floor: 0.1, weight_decay: 0.01, betas: [0.9, 0.98], clip: 1.0 }
    }
}

impl Settings {
    fn schedule(&self) -> Schedule {
        Schedule { peak: self.peak_lr, warmup: self.warmup, steps: self.steps, floor: self.lr_floor }
    }
}

/// What one step measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    /// Which step, from 0.
    pub step: u64,
    /// Weighted loss of its batch before it, in nats.
    pub loss: f64,
    /// Its learning rate.
    pub lr: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
}

/// A model in training. The same settings, batches and device give the same bytes.
#[derive(Debug)]
pub struct Trainer {
    pub(super) net: Transformer,
    pub(super) optimizer: Optimizer,
    pub(super) settings: Settings,
    pub(super) step: u64,
    pub(super) chosen: Chosen,
    /// The chosen device with gradients.
    pub(super) device: Device,
}

impl Trainer {
    /// An untrained model, started as GPT-2 was (normal, 0.02, residual writes scaled down).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the architecture makes no sense.
    pub fn new(config: &TransformerConfig, settings: Settings, chosen: &Chosen) -> Result<Self> {
        config.check()?;
        let device = chosen.device.clone().autodiff();
        let net = Transformer::build(&mut ScaledSource::new(settings.seed, config, &device), config);
        Ok(Self { net, optimizer: Optimizer::new(&settings), settings, step: 0, chosen: chosen.clone(), device })
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// How it is trained.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model as it is now, without gradients and without a tokenizer.
    pub fn model(&self) -> HookedTransformer {
        HookedTransformer::new(self.net.valid(), "in training", None, &self.chosen)
    }

    /// Trains up to `steps` steps in all. `batch` gives the text of a step, `each` is told what the step measured.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::step`] and of `each`.
    pub fn run(&mut self, steps: u64, mut batch: impl FnMut(u64) -> Batch, mut each: impl FnMut(&Self, &StepLog) -> Result<()>) -> Result<()> {
        while self.step < steps {
            let log = self.step(&batch(self.step))?;
            each(self, &log)?;
        }
        Ok(())
    }

    /// One step on one batch.
    ///
    /// # Errors
    ///
    /// A batch that does not fit the model, or [`Error::Config`] when the loss is no longer a number: the
    /// model is then as it was before the step.
    pub fn step(&mut self, batch: &Batch) -> Result<StepLog> {
        let loss = self.loss(batch)?;
        let value = f64::from(device::read(loss.clone())?[0]);
        if !value.is_finite() {
            return Err(self.diverged());
        }
        let (step, lr) = (self.step, self.settings.schedule().at(self.step));
        let (net, grad_norm) = self.optimizer.step(self.net.clone(), &loss.backward(), lr)?;
        self.net = net;
        self.step += 1;
        Ok(StepLog { step, loss: value, lr, grad_norm })
    }

    /// The weighted cross entropy of a batch, `[1]`, in nats: see [`weighted_cross_entropy`].
    ///
    /// # Errors
    ///
    /// A batch that does not fit the model.
    pub fn loss(&self, batch: &Batch) -> Result<Tensor<1>> {
        let tokens = self.checked(batch)?;
        let shape = [tokens.batch(), tokens.pos()];
        let ints = |rows: &[Vec<u32>]| {
            let flat: Vec<i64> = rows.iter().flatten().map(|id| i64::from(*id)).collect();
            Tensor::<2, Int>::from_data(TensorData::new(flat, shape), &self.device)
        };
        let weights = TensorData::new(batch.loss_mask.concat(), shape);
        let logits = self.logits(&tokens, ints(tokens.ids()));
        Ok(weighted_cross_entropy(logits, ints(&batch.targets), Tensor::from_data(weights, &self.device)))
    }

    fn logits(&self, tokens: &Tokens, ids: Tensor<2, Int>) -> Tensor<3> {
        let config = &self.net.config;
        let context = Context::new(config, tokens.real(), tokens.positions(), tokens.pos(), &self.device);
        let resid = self.net.forward_embed(ids, &context);
        let resid = self.net.forward_blocks(resid, 0..config.n_layers, &context, None);
        self.net.forward_unembed(resid)
    }

    /// Burn panics on bad shapes, so a batch is checked here.
    fn checked(&self, batch: &Batch) -> Result<Tokens> {
        let tokens = Tokens::new(batch.tokens.clone())?;
        let config = &self.net.config;
        if tokens.pos() > config.max_positions() {
            return Err(Error::TooLong { tokens: tokens.pos(), n_ctx: config.max_positions() });
        }
        let unknown = batch.tokens.iter().chain(&batch.targets).flatten().find(|id| **id as usize >= config.d_vocab);
        if let Some(id) = unknown {
            return Err(Error::OutOfRange { what: "token", asked: *id as usize, length: config.d_vocab });
        }
        fits("targets", batch.targets.iter().map(Vec::len), &tokens)?;
        fits("weights", batch.loss_mask.iter().map(Vec::len), &tokens)?;
        Ok(tokens)
    }

    fn diverged(&self) -> Error {
        Error::Config {
            family: self.net.config.family.clone(),
            key: "peak_lr".into(),
            value: self.settings.peak_lr.to_string(),
            problem: format!("the loss of step {} is not a number: train with a lower rate or a longer warm-up", self.step),
        }
    }
}

/// Whether a list of rows has the tokens' shape.
fn fits(what: &str, lengths: impl ExactSizeIterator<Item = usize>, tokens: &Tokens) -> Result<()> {
    if lengths.len() != tokens.batch() {
        return Err(Error::Length { what: format!("rows of {what}"), expected: tokens.batch(), actual: lengths.len() });
    }
    let odd = lengths.enumerate().find(|(_, length)| *length != tokens.pos());
    odd.map_or(Ok(()), |(row, actual)| Err(Error::Length { what: format!("{what} in row {row}"), expected: tokens.pos(), actual }))
}
