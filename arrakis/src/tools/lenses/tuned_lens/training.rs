//! How the translators of a tuned lens are trained.

use arrakis_models::{HookedTransformer, Plan, Tokens, device, hooks, log_softmax, progress, site};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer as _, Sgd, SgdConfig, SgdState};
use burn::tensor::Tensor;

use super::divergence;
use super::refuse::{NAME, refuse};
use super::translators::Translator;
use crate::error::Result;
use crate::tools::shared::finite;

/// The settings of a training. The defaults are those of the paper and its code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Steps; the learning rate falls to zero over them, in a line.
    pub steps: usize,
    /// The rule that moves the translators.
    pub rule: Rule,
    /// The learning rate of the first step.
    pub lr: f64,
    /// The factor on the translators that is added to their gradients (SGD) or to their steps (`AdamW`).
    pub weight_decay: f64,
    /// The global norm that gradients are clipped to.
    pub clip: f64,
}

/// The rule that moves the translators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// SGD with Nesterov momentum 0.9, the gradient scaled by 1 - 0.9.
    Sgd,
    /// `AdamW` with betas 0.9 and 0.999, warmed up over a fifth of the steps, at most 1000.
    AdamW,
}

impl Default for Training {
    fn default() -> Self {
        Self::sgd()
    }
}

impl Training {
    /// SGD with Nesterov momentum, learning rate 1 and weight decay 0.001: the paper's choice. It is meant for batches of
    /// 262,144 tokens.
    pub fn sgd() -> Self {
        Self { steps: 250, rule: Rule::Sgd, lr: 1.0, weight_decay: 1e-3, clip: 1.0 }
    }

    /// `AdamW` with learning rate 0.001, for small batches.
    pub fn adamw() -> Self {
        Self { rule: Rule::AdamW, lr: 1e-3, ..Self::sgd() }
    }

    /// Sets the number of steps.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Sets the learning rate of the first step.
    #[must_use]
    pub fn lr(self, lr: f64) -> Self {
        Self { lr, ..self }
    }

    /// The learning rate of a step, from 0.
    fn lr_at(&self, step: usize) -> f64 {
        let warm = if self.rule == Rule::AdamW { (self.steps / 5).min(1000) } else { 0 };
        let scale = if self.rule == Rule::Sgd { 1.0 - MOMENTUM } else { 1.0 };
        let part = if step < warm {
            (step + 1) as f64 / (warm + 1) as f64
        } else {
            self.steps.saturating_sub(step) as f64 / (self.steps - warm) as f64
        };
        self.lr * scale * part
    }

    pub(super) fn check(&self) -> Result<()> {
        let valid = |value: f64| value.is_finite() && value >= 0.0;
        for (name, value) in [("lr", self.lr), ("weight_decay", self.weight_decay), ("clip", self.clip)] {
            if !valid(value) || (name == "clip" && value == 0.0) {
                return Err(refuse(format!("`{name}` is {value}; give a positive number")));
            }
        }
        if self.steps == 0 { Err(refuse("a training of 0 steps changes nothing; give at least 1")) } else { Ok(()) }
    }
}

const MOMENTUM: f64 = 0.9;

/// Translators in training.
pub(super) struct Trainer<'a> {
    model: &'a HookedTransformer,
    training: Training,
    slots: Vec<Slot>,
}

/// A translator with the state of its optimizer.
struct Slot {
    translator: Translator,
    sgd: (Option<SgdState<2>>, Option<SgdState<1>>),
    adamw: (Option<AdamWState<2>>, Option<AdamWState<1>>),
}

impl<'a> Trainer<'a> {
    pub(super) fn new(model: &'a HookedTransformer, translators: Vec<Translator>, training: Training) -> Self {
        let slot = |translator| Slot { translator, sgd: (None, None), adamw: (None, None) };
        Self { model, training, slots: translators.into_iter().map(slot).collect() }
    }

    /// All steps, batch after batch and again from the first. Returns the translators and the loss of each layer before
    /// each step, `[step][layer]`.
    pub(super) fn run(mut self, batches: &[Tokens]) -> Result<(Vec<Translator>, Vec<Vec<f64>>)> {
        let bar = progress::bar(NAME, "steps", self.training.steps);
        let mut losses = Vec::with_capacity(self.training.steps);
        for step in 0..self.training.steps {
            losses.push(self.step(step, &batches[step % batches.len()])?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((self.slots.into_iter().map(|slot| slot.translator).collect(), losses))
    }

    /// One forward of the model, and an unembedding with its backward pass for each layer.
    fn step(&mut self, step: usize, tokens: &Tokens) -> Result<Vec<f64>> {
        let outcome = self.model.run(tokens, Plan::new().capture(site::every(site::resid_pre)))?;
        let target = log_softmax(outcome.output);
        let (mut losses, mut gradients) = (Vec::new(), Vec::new());
        for (layer, slot) in self.slots.iter().enumerate() {
            let resid = outcome.cache.get::<3>(site::resid_pre(layer))?;
            let (loss, gradient) = gradient(self.model, &slot.translator, resid, target.clone(), tokens)?;
            self.check_loss(step, layer, tokens, loss)?;
            losses.push(loss);
            gradients.push(gradient);
        }
        let scale = clipped(&gradients, self.training.clip)?;
        let lr = self.training.lr_at(step);
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            slot.step(&self.training, lr, gradient, scale);
        }
        Ok(losses)
    }

    fn check_loss(&self, step: usize, layer: usize, tokens: &Tokens, loss: f64) -> Result<()> {
        if loss.is_finite() {
            return Ok(());
        }
        if step == 0 {
            finite::check(NAME, self.model, tokens, &format!("the loss of `{layer}_pre`"), loss)?;
        }
        Err(refuse(format!("the loss of `{layer}_pre` is {loss} at step {step}; give a lower `lr`")))
    }
}

/// The loss of a translator on a batch, and its gradient.
pub(super) fn gradient(
    model: &HookedTransformer,
    translator: &Translator,
    resid: Tensor<3>,
    target: Tensor<3>,
    tokens: &Tokens,
) -> Result<(f64, Translator)> {
    let tracked = translator.tracked();
    let logits = model.net().forward_unembed(tracked.apply(Tensor::from_inner(resid)));
    let loss = divergence::of_batch(&divergence::of_positions(Tensor::from_inner(target), logits), tokens);
    let value = f64::from(device::read(loss.clone())?[0]);
    let gradients = hooks::backward(&loss);
    // A loss that does not depend on the stream, as in a model whose unembedding is zero, leaves no gradient.
    let weight = tracked.weight.grad(&gradients).unwrap_or_else(|| translator.weight.zeros_like());
    let bias = tracked.bias.grad(&gradients).unwrap_or_else(|| translator.bias.zeros_like());
    Ok((value, Translator { weight, bias }))
}

/// The factor that brings the norm of all gradients together down to `most`.
fn clipped(gradients: &[Translator], most: f64) -> Result<f64> {
    let squares = gradients.iter().flat_map(|own| {
        let (weight, bias) = (own.weight.clone(), own.bias.clone());
        [(weight.clone() * weight).sum(), (bias.clone() * bias).sum()]
    });
    let squares = device::read(Tensor::cat(squares.collect(), 0))?;
    let norm = squares.into_iter().map(f64::from).sum::<f64>().sqrt();
    Ok(if norm > most { most / (norm + 1e-6) } else { 1.0 })
}

impl Slot {
    fn step(&mut self, training: &Training, lr: f64, gradient: Translator, scale: f64) {
        let (weight, bias) = (gradient.weight * scale, gradient.bias * scale);
        let Translator { weight: a, bias: b } = self.translator.clone();
        let (a, b) = match training.rule {
            Rule::Sgd => {
                let rule = sgd(training);
                let (a, first) = rule.step(lr, a, weight, self.sgd.0.take());
                let (b, second) = rule.step(lr, b, bias, self.sgd.1.take());
                self.sgd = (first, second);
                (a, b)
            }
            Rule::AdamW => {
                let rule = adamw(training);
                let (a, first) = rule.step(lr, a, weight, self.adamw.0.take());
                let (b, second) = rule.step(lr, b, bias, self.adamw.1.take());
                self.adamw = (first, second);
                (a, b)
            }
        };
        self.translator = Translator { weight: a, bias: b };
    }
}

fn sgd(training: &Training) -> Sgd {
    let momentum = MomentumConfig::new().with_momentum(MOMENTUM).with_dampening(0.0).with_nesterov(true);
    let decay = WeightDecayConfig::new(training.weight_decay as f32);
    SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(Some(decay)).build()
}

fn adamw(training: &Training) -> AdamW {
    AdamWConfig::new()
        .with_beta_1(MOMENTUM as f32)
        .with_beta_2(0.999)
        .with_weight_decay(training.weight_decay as f32)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;

    #[test]
    fn the_learning_rate_falls_in_a_line() {
        let training = Training::sgd().steps(4);
        let rates: Vec<f64> = (0..5).map(|step| training.lr_at(step)).collect();
        for (rate, expected) in rates.iter().zip([0.1, 0.075, 0.05, 0.025, 0.0]) {
            close(*rate, expected, 1e-12);
        }
        let training = Training::adamw().steps(10);
        let rates: Vec<f64> = [0, 1, 2, 6, 9].map(|step| training.lr_at(step)).to_vec();
        for (rate, thirds) in rates.iter().zip([1.0 / 3.0, 2.0 / 3.0, 1.0, 0.5, 0.125]) {
            close(*rate, 1e-3 * thirds, 1e-12);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let said = |training: Training| training.check().unwrap_err().to_string();
        assert_eq!(
            said(Training::sgd().steps(0)),
            "tuned_lens: a training of 0 steps changes nothing; give at least 1"
        );
        assert_eq!(said(Training::sgd().lr(f64::NAN)), "tuned_lens: `lr` is NaN; give a positive number");
        assert_eq!(said(Training { clip: 0.0, ..Training::sgd() }), "tuned_lens: `clip` is 0; give a positive number");
    }
}
