//! The training loop: a batch, its loss, its gradients, a step.

use arrakis::models::device::{self, Chosen};
use arrakis::models::transformer::{Context, Transformer};
use arrakis::models::{self, HookedTransformer, Tokens, TransformerConfig};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::init::ScaledSource;
use super::loss::weighted_cross_entropy;
use super::optimizer::Optimizer;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::text::mixture::Batch;

/// The measurements of one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    /// The index of the step, from 0.
    pub step: u64,
    /// The weighted loss of its batch before the step, in nats.
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
    /// The architecture; the network's own windows may be narrower for a while.
    config: TransformerConfig,
    pub(super) chosen: Chosen,
    /// The chosen device with gradients.
    pub(super) device: Device,
}

impl Trainer {
    /// An untrained model with GPT-2's initialisation: normal, with matrices that write into the stream scaled down.
    ///
    /// # Errors
    ///
    /// `arrakis::models::Error::Config` if the architecture is invalid.
    pub fn new(config: &TransformerConfig, settings: Settings, chosen: &Chosen) -> Result<Self> {
        config.check()?;
        let device = chosen.device.clone().autodiff();
        let net = Transformer::build(&mut ScaledSource::new(&settings, config, &device), config);
        Ok(Self {
            net,
            optimizer: Optimizer::new(&settings),
            settings,
            step: 0,
            config: config.clone(),
            chosen: chosen.clone(),
            device,
        })
    }

    /// The number of steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// The training settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The current model, without gradients and without a tokenizer.
    pub fn model(&self) -> HookedTransformer {
        let mut net = self.net.valid();
        net.config.clone_from(&self.config);
        HookedTransformer::new(net, "in training", None, &self.chosen)
    }

    /// Trains until `steps` steps are done. `batch` gives the text of a step, `each` gets the measurements of the step.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::step`] and of `each`.
    pub fn run(
        &mut self,
        steps: u64,
        mut batch: impl FnMut(u64) -> Batch,
        mut each: impl FnMut(&Self, &StepLog) -> Result<()>,
    ) -> Result<()> {
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
    /// [`Error::Batch`] for a batch that does not fit the model, [`Error::Diverged`] if the loss is not finite. The
    /// model is then as it was before the step.
    pub fn step(&mut self, batch: &Batch) -> Result<StepLog> {
        self.narrow();
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

    fn narrow(&mut self) {
        let window =
            self.settings.window(self.step, self.config.n_ctx).or(self.config.windows.first().copied().flatten());
        if let Some(first) = self.net.config.windows.first_mut() {
            *first = window;
        }
    }

    /// The weighted cross entropy of a batch, `[1]`, in nats: see [`weighted_cross_entropy`].
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] for a batch that does not fit the model.
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

    /// Checks the batch here, because Burn panics on bad shapes.
    fn checked(&self, batch: &Batch) -> Result<Tokens> {
        let tokens = Tokens::new(batch.tokens.clone())?;
        let config = &self.net.config;
        if tokens.pos() > config.max_positions() {
            return Err(models::Error::TooLong { tokens: tokens.pos(), n_ctx: config.max_positions() }.into());
        }
        let unknown = batch.tokens.iter().chain(&batch.targets).flatten().find(|id| **id as usize >= config.d_vocab);
        if let Some(id) = unknown {
            return Err(Error::Token { token: *id, d_vocab: config.d_vocab });
        }
        fits("targets", batch.targets.iter().map(Vec::len), &tokens)?;
        fits("weights", batch.loss_mask.iter().map(Vec::len), &tokens)?;
        Ok(tokens)
    }

    fn diverged(&self) -> Error {
        Error::Diverged { step: self.step, peak_lr: self.settings.peak_lr }
    }
}

/// Checks that a list of rows has the tokens' shape.
fn fits(what: &str, lengths: impl ExactSizeIterator<Item = usize>, tokens: &Tokens) -> Result<()> {
    if lengths.len() != tokens.batch() {
        return Err(Error::Batch { what: format!("rows of {what}"), expected: tokens.batch(), actual: lengths.len() });
    }
    let odd = lengths.enumerate().find(|(_, length)| *length != tokens.pos());
    odd.map_or(Ok(()), |(row, actual)| {
        Err(Error::Batch { what: format!("{what} in row {row}"), expected: tokens.pos(), actual })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Rows that count up modulo 16 from a start that depends on the step.
    pub(in super::super) fn counting(step: u64) -> Batch {
        let row = |first: u64| (first..first + 8).map(|value| (value % 16) as u32).collect::<Vec<u32>>();
        Batch {
            tokens: vec![row(step), row(7 * step + 3)],
            targets: vec![row(step + 1), row(7 * step + 4)],
            loss_mask: vec![vec![1.0; 8]; 2],
        }
    }

    pub(in super::super) fn trainer(seed: u64) -> Trainer {
        let config = TransformerConfig::plain("gpt2", 1, 16, 2, 16, 8);
        let settings = Settings { seed, steps: 60, peak_lr: 1e-2, warmup: 5, ..Settings::default() };
        Trainer::new(&config, settings, &device::cpu()).unwrap()
    }

    pub(in super::super) fn logs(trainer: &mut Trainer, steps: u64) -> Vec<StepLog> {
        let mut logs = Vec::new();
        trainer
            .run(steps, counting, |_, log| {
                logs.push(*log);
                Ok(())
            })
            .unwrap();
        logs
    }

    #[test]
    fn it_learns_to_count_and_learns_the_same_again() {
        let (mut one, mut two) = (trainer(1), trainer(1));
        let logs_of_one = logs(&mut one, 60);
        assert!((logs_of_one[0].loss - 16f64.ln()).abs() < 0.1, "an untrained model guesses: {}", logs_of_one[0].loss);
        assert!(logs_of_one[59].loss < 1.0, "{}", logs_of_one[59].loss);
        assert_eq!(logs(&mut two, 60), logs_of_one);
        assert_eq!(one.model().fingerprint().unwrap(), two.model().fingerprint().unwrap());
        assert_ne!(trainer(2).model().fingerprint().unwrap(), trainer(1).model().fingerprint().unwrap());
    }

    #[test]
    fn the_model_in_training_has_the_windows_of_its_architecture() {
        let mut trainer = trainer(1);
        trainer.settings.local_steps = 9;
        trainer.step(&counting(0)).unwrap();
        assert_eq!(trainer.net.config.windows, [Some(2)]);
        assert_eq!(trainer.model().config().windows, [None]);
    }

    #[test]
    fn an_attention_only_model_learns_and_its_mlps_stay_at_zero() {
        let mut config = TransformerConfig::plain("gpt2", 1, 16, 2, 16, 8);
        config.mlp_bias = false;
        let settings = Settings { attention_only: true, peak_lr: 1e-2, warmup: 5, ..Settings::default() };
        let mut trainer = Trainer::new(&config, settings, &device::cpu()).unwrap();
        let losses = logs(&mut trainer, 20);
        assert!(losses[19].loss < losses[0].loss - 0.5, "{losses:?}");
        let model = trainer.model();
        let mut mlps = model.parameters().into_iter().filter(|(name, _)| name.contains(".mlp."));
        assert!(mlps.all(|(_, tensor)| tensor.to_vec().unwrap().iter().all(|value| *value == 0.0)));
    }

    #[test]
    fn a_weight_of_zero_hides_a_target() {
        let (trainer, mut batch) = (trainer(1), counting(0));
        batch.loss_mask[0][3] = 0.0;
        let loss = |batch: &Batch| device::read(trainer.loss(batch).unwrap()).unwrap()[0];
        let before = loss(&batch);
        batch.targets[0][3] = 15;
        assert_eq!(loss(&batch), before);
    }

    #[test]
    fn the_error_for_a_batch_that_does_not_fit_says_where() {
        let mut trainer = trainer(1);
        let message = |trainer: &mut Trainer, change: fn(&mut Batch)| {
            let mut batch = counting(0);
            change(&mut batch);
            trainer.step(&batch).unwrap_err().to_string()
        };
        assert_eq!(message(&mut trainer, |batch| batch.targets[1].truncate(7)), "targets in row 1: expected 8, got 7");
        assert_eq!(message(&mut trainer, |batch| batch.loss_mask.truncate(1)), "rows of weights: expected 2, got 1");
        assert!(
            message(&mut trainer, |batch| batch.targets[0][0] = 16)
                .starts_with("token 16 is not in the vocabulary of 16")
        );
        assert!(
            message(&mut trainer, |batch| batch.loss_mask[0][0] = f32::NAN)
                .contains("the loss of step 0 is not a number")
        );
        assert_eq!(trainer.steps_done(), 0);
    }
}
